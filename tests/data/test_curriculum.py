import math

import pytest
import torch

import toy
from netsmith.core.errors import ConfigError
from netsmith.data.curriculum import Curriculum
from netsmith.data.digits import Digits
from netsmith.data.shapes import Shapes
from netsmith.engine import checkpoint
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CONFIG = Curriculum.Config(data=Shapes.Config(twin=True, batch=40), start=0.25, full_epoch=6)


def test_regular_shapes_have_the_areas_of_geometry():
    source = Shapes.Config(size=3000, normalize=False).build()
    easy = torch.nonzero(source.difficulty("train") < 0.02)[:, 0]
    batch = source.load("train", easy)
    assert len(easy) > 30
    worst = []
    for image, label, index in zip(batch.inputs[:, 0], batch.targets.tolist(), easy.tolist(), strict=True):
        inside = image > image.min()
        rows, columns = torch.nonzero(inside).T.double()
        area = float(inside.sum())
        spread = float(
            rows.var(correction=0) + columns.var(correction=0)
        )  # r^2/2, s^2/6, s^2/12 for side s or radius r
        wanted = {0: 12 / math.sqrt(3) * 3 / 4, 1: 6.0, 2: 2 * math.pi}[label]  # area over spread
        worst.append(abs(area / spread / wanted - 1))
        assert index % 3 == label
    assert max(worst) < 0.12
    assert torch.equal(
        source.load("test", torch.arange(5)).inputs,
        Shapes.Config(normalize=False, size=9).build().load("test", torch.arange(5)).inputs,
    )


def test_the_easiest_share_is_in_reach_and_it_grows_to_all():
    source = CONFIG.build()
    grades = source.inner.difficulty("train")
    plain = source.inner.order("train", seed=0, epoch=0)
    for epoch in range(8):
        batches = source.order("train", seed=0, epoch=epoch)
        assert list(map(len, batches)) == list(map(len, plain))
        count = round(600 * min(1, 0.25 + 0.75 * epoch / 6))
        seen = torch.cat(list(batches)).unique()
        assert len(seen) == count
        assert float(grades[seen].max()) == float(grades.sort().values[count - 1])
    hard = CONFIG.derive(by="hard").build().order("train", seed=0, epoch=0)
    assert float(grades[torch.cat(list(hard))].min()) == float(grades.sort().values[-150])
    random = [
        torch.cat(list(CONFIG.derive(by="random").build().order("train", seed=0, epoch=e))).unique() for e in (0, 1)
    ]
    assert [len(one) for one in random] == [150, 225]
    assert set(random[0].tolist()) < set(random[1].tolist())
    assert abs(float(grades[random[0]].mean()) - 0.5) < 0.1


@pytest.mark.parametrize("by", ["easy", "random"])
def test_the_order_is_a_pure_function_of_seed_and_epoch(by):
    config = CONFIG.derive(by=by)
    first, again = (config.build().order("train", seed=5, epoch=2) for _ in range(2))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], config.build().order("train", seed=6, epoch=2)[0])
    assert not torch.equal(first[0], config.build().order("train", seed=5, epoch=3)[0])


def test_a_cut_leaves_no_trace(tmp_path):
    config = Experiment.Config(
        method=Supervised.Config(model=MLP.Config(hidden=(6,)), task=Classify.Config()),
        data=CONFIG,
        optimizers={"model": SGD.Config(lr=0.05)},
        epochs=2,
        checkpoint_every=4,
    )
    whole = Engine(Experiment(config))
    whole.fit()
    cut = Engine(Experiment(config), checkpoints=tmp_path, hooks=[toy.Cut(19)])
    with pytest.raises(toy.Cut.Stop):
        cut.fit()
    resumed = Engine(Experiment(config), checkpoints=tmp_path)
    resumed.restore(checkpoint.load_latest(tmp_path)[0])
    resumed.fit()
    assert toy.sha(resumed) == toy.sha(whole)


def test_ungraded_data_are_refused():
    with pytest.raises(ConfigError, match="difficulty is known"):
        Curriculum.Config(data=Digits.Config(twin=True)).build()


def test_mixup_is_refused():
    with pytest.raises(ConfigError, match="mixup"):
        Curriculum.Config(data=Shapes.Config(twin=True, mixup=0.2)).build()
