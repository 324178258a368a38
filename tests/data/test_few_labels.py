import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.data.class_subset import ClassSubset
from netsmith.data.digits import Digits
from netsmith.data.few_labels import FewLabels
from netsmith.data.sine_tasks import SineTasks
from netsmith.engine.task import UNLABELED

DIGITS = Digits.Config(twin=True, batch=50)
CONFIG = FewLabels.Config(data=DIGITS, per_class=4, labeled_batch=16)


def test_so_many_labels_of_each_class_are_kept_and_the_rest_is_hidden():
    source, inner = CONFIG.build(), DIGITS.build()
    every = torch.arange(source.spec.split("train").size)
    truth, shown = inner.load("train", every).targets, source.load("train", every).targets
    known = shown != UNLABELED
    assert torch.equal(shown[known], truth[known])
    assert torch.bincount(shown[known], minlength=10).tolist() == [4] * 10
    assert torch.equal(source.judged("train", every).targets, truth)
    for split in ("dev", "test"):
        at = torch.arange(source.spec.split(split).size)
        assert torch.equal(source.load(split, at).targets, inner.load(split, at).targets)
    assert source.spec.split("train").sha256 != CONFIG.derive(seed=1).build().spec.split("train").sha256
    # the same draw as that of the small training set: a supervised peer sees the same labels
    small = ClassSubset.Config(data=DIGITS, classes=tuple(range(10)), per_class=4).build()
    assert torch.equal(small.load("train", torch.arange(40)).inputs, inner.load("train", source.labeled).inputs)


def test_each_batch_has_labels_and_an_epoch_passes_over_the_rest_once():
    source = CONFIG.build()
    batches = source.order("train", seed=3, epoch=2)
    known = source._known
    assert all(int(known[batch].sum()) == 16 and len(batch) == 66 for batch in batches)
    hidden = torch.cat([batch[~known[batch]] for batch in batches])
    assert len(hidden.unique()) == len(hidden) == len(batches) * 50
    counts = torch.bincount(torch.cat([batch[known[batch]] for batch in batches]))[source.labeled]
    assert int(counts.max() - counts.min()) <= 1
    again = CONFIG.build().order("train", seed=3, epoch=2)
    assert all(map(torch.equal, batches, again))
    assert not torch.equal(batches[0], source.order("train", seed=3, epoch=3)[0])
    assert len(source.order("train", seed=3, epoch=3)) == len(batches)


def test_nothing_to_hide_is_refused():
    even = ClassSubset.Config(data=DIGITS, classes=(3, 8), per_class=9)
    with pytest.raises(ConfigError, match="per_class=9 keeps all 18 labels"):
        CONFIG.derive(data=even, per_class=9).build()
    with pytest.raises(ConfigError, match="hides labels of classes"):
        FewLabels.Config(data=SineTasks.Config()).build()


def test_mixup_is_refused():
    with pytest.raises(ConfigError, match="mixup"):
        CONFIG.derive(**{"data.mixup": 0.2}).build()


def test_more_than_there_is_is_refused():
    real = Digits.Config(batch=50)
    inner = real.build()
    sizes = torch.bincount(inner.load("train", torch.arange(inner.spec.split("train").size)).targets)
    least, label = int(sizes.min()), int(sizes.argmin())
    assert least < int(sizes.max())
    with pytest.raises(ConfigError, match=rf"per_class={least + 1}, but class '{label}' has {least} training examples"):
        CONFIG.derive(data=real, per_class=least + 1).build()
    assert len(CONFIG.derive(data=real, per_class=least).build().labeled) == 10 * least
    with pytest.raises(ConfigError, match=r"labeled_batch=16, but per_class=1 keeps 10 labels; .* at most 10"):
        CONFIG.derive(per_class=1).build()
    assert len(CONFIG.derive(per_class=1, labeled_batch=10).build().order("train", seed=0, epoch=0)[0]) == 60
