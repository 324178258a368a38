"""Transfer: what is taken, what is frozen stays bit for bit, what thaws when, rates by layer, exact resume."""

import itertools

import pytest
import torch
from torch import nn

import toy
from netsmith.core.errors import ConfigError, UnknownNameError, UnsupportedError
from netsmith.data.digits import Digits
from netsmith.data.mnist import Mnist
from netsmith.engine import checkpoint
from netsmith.engine.checkpoint import tensors_sha256
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.layers.layer_groups import layer_groups
from netsmith.methods.fine_tuning import FineTuning, begin_with
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.models.vision.spatial_transformer_net import SpatialTransformerNet
from netsmith.optim.adamw import AdamW
from netsmith.optim.lookahead import Lookahead
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

MODEL = SmallCNN.Config(channels=(4, 6), depth=2)
FRESH = SmallCNN.Config(channels=(4, 6), depth=2, in_channels=1, num_classes=10)


def trained(seed=5):
    """Weights with statistics that are not the first ones."""
    torch.manual_seed(seed)
    model = FRESH.build()
    model(torch.randn(32, 1, 8, 8) + 1)
    return model.state_dict()


def experiment(same_answers=True, adopt=True, optimizer=None, **fields):
    config = Experiment.Config(
        method=FineTuning.Config(model=MODEL, task=Classify.Config(), **fields),
        data=Digits.Config(twin=True, batch=64),
        optimizers={"model": optimizer or AdamW.Config(lr=0.01, weight_decay=0.1)},
        steps=10,
        checkpoint_every=1,
        evaluate_every=5,
    )
    found = Experiment(config)
    if adopt:
        begin_with(found, trained(), same_answers=same_answers)
    return found


def state(engine):
    return {name: tensor.clone() for name, tensor in engine.method.model.state_dict().items()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("freeze", "layers", "groups"), [(("transferred",), 2, 2), (("stem",), 0, 2), (("stages.1", "stem"), 0, 4)]
)
def test_what_is_frozen_has_no_gradient_and_stays_bit_for_bit(freeze, layers, groups):
    engine = Engine(experiment(freeze=freeze, layers=layers))
    names = engine.method.groups
    before = state(engine)
    assert len(names) == 5
    engine.fit()
    held = set(itertools.chain.from_iterable(names[:groups]))
    assert "stages.0.norm1.running_mean" in held
    assert changed(before, state(engine)) == set(before) - held
    for name, parameter in engine.method.model.named_parameters():
        assert (parameter.grad is None) == (name in held)


def test_a_layer_thaws_from_the_top_every_few_steps():
    engine = Engine(experiment(unfreeze_every=3, optimizer=SGD.Config(lr=0.01, momentum=0.9, weight_decay=0.01)))
    groups, seen, last = engine.method.groups, [], [state(engine)]

    class Watch(toy.Hook):
        def after_step(self, engine, logs):
            now = state(engine)
            moved = changed(last[0], now)
            seen.append([bool(moved & set(names)) for names in groups])
            last[0] = now

    engine.hooks.append(Watch())
    engine.fit()
    open_layers = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    assert seen == [[False] * (5 - count) + [True] * count for count in open_layers]


def test_the_first_k_of_n_layers_are_taken_and_it_is_noted():
    weights = trained()
    found = experiment(layers=3)
    groups = found.method.groups
    fresh = Experiment(found.config.derive(**{"method.start": "", "method.layers": 0})).method.model.state_dict()
    taken = found.method.model.state_dict()
    for at, names in enumerate(groups):
        for name in names:
            assert torch.equal(taken[name], weights[name] if at < 3 else fresh[name]), name
    assert found.config.method.start == tensors_sha256(weights)
    assert found.config.method.layers == 3
    assert experiment().config.method.layers == 5
    assert experiment(same_answers=False).config.method.layers == 4  # a head of other labels stays fresh


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"no weights to begin with.*--from RUN"):
        Engine(experiment(adopt=False)).fit()
    with pytest.raises(ConfigError, match="layers=6, but small_cnn has 5"):
        experiment(layers=6)
    with pytest.raises(ConfigError, match="take at most 4"):
        experiment(layers=5, same_answers=False)
    with pytest.raises(ConfigError, match="these weights have SHA-256"):
        experiment(start="0" * 64)
    with pytest.raises(UnknownNameError, match="stages"):
        experiment(freeze=("stage.0",))
    with pytest.raises(ConfigError, match="nothing is left to learn at the first step"):
        experiment(freeze=("head",), unfreeze_every=2)
    found = experiment(adopt=False)
    wide = SmallCNN.Config(channels=(4, 7), depth=2, in_channels=1, num_classes=10).build().state_dict()
    with pytest.raises(ConfigError, match=r"stages.1.conv1.weight is \(7, 4, 3, 3\), expected \(6, 4, 3, 3\)"):
        begin_with(found, wide, same_answers=True)
    supervised = toy.config()
    with pytest.raises(ConfigError, match="begins with fresh weights"):
        begin_with(Experiment(supervised), wide, same_answers=True)


def test_each_layers_rate_is_that_above_it_over_the_decay():
    model = FRESH.build()
    parameters = dict(model.named_parameters())
    config = AdamW.Config(lr=0.1, weight_decay=0.5, decay_norms=False, layer_decay=2.6)
    rates = {n: (g["lr"], g["weight_decay"]) for g in config.build(parameters).param_groups for n in g["names"]}
    assert set(rates) == set(parameters)
    for depth, names in enumerate(reversed(layer_groups(parameters))):
        for name in names:
            assert rates[name] == (pytest.approx(0.1 / 2.6**depth), 0.5 if parameters[name].dim() > 1 else 0.0)
    wrapped = Lookahead.Config(inner=SGD.Config(lr=1.0, layer_decay=2.0)).build(parameters)
    assert [group["lr"] for group in wrapped.param_groups] == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]
    assert "layer_decay" not in SGD.Config(lr=1.0).dump()


def test_rates_by_layer_are_one_step_of_each_layer_by_hand():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    net(torch.randn(6, 3, dtype=torch.float64)).square().sum().backward()
    SGD.Config(lr=0.3, layer_decay=3.0).build(dict(net.named_parameters())).step()
    for name, p in net.named_parameters():
        rate = 0.1 if name.startswith("0") else 0.3
        torch.testing.assert_close(p.detach(), before[name] - rate * p.grad, rtol=0, atol=1e-15)


@pytest.mark.parametrize("step", [3, 4, 8])
def test_a_cut_leaves_no_trace(tmp_path, step):
    fields = {"unfreeze_every": 3, "freeze": ("stages.0.conv1",), "layers": 4}
    whole = Engine(experiment(**fields))
    whole.fit()
    cut = Engine(experiment(**fields), checkpoints=tmp_path, hooks=[toy.Cut(step)])
    with pytest.raises(toy.Cut.Stop):
        cut.fit()
    resumed = Engine(Experiment(cut.config), checkpoints=tmp_path)  # the weights come from the checkpoint
    resumed.restore(checkpoint.load_latest(tmp_path)[0])
    resumed.fit()
    assert toy.sha(resumed) == toy.sha(whole)
    assert state(resumed).keys() == state(whole).keys()
    assert not changed(state(resumed), state(whole))


def test_a_norm_that_thaws_later_forbids_micro_batches_from_the_beginning():
    """At the first step it rests; cut from the second on, its statistics would be those of a quarter of the batch."""
    closed = experiment(unfreeze_every=3)
    assert "batch normalization (model.stages.0.norm1)" in closed.method.undecomposable()
    with pytest.raises(UnsupportedError, match="micro_batches=4 would change the result"):
        Engine(Experiment(closed.config.derive(micro_batches=4)))
    for_good = experiment(freeze=("stages",), unfreeze_every=3)
    assert for_good.method.undecomposable() == ""
    results = []
    for parts in (1, 4):
        whole = Experiment(for_good.config.derive(micro_batches=parts))
        begin_with(whole, trained(), same_answers=True)
        engine = Engine(whole)
        engine.fit()
        results.append(state(engine))
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=0, atol=1e-5)


def test_the_head_is_the_last_layer_and_the_entry_the_first_however_they_are_registered():
    model = SpatialTransformerNet.Config(channels=(3, 4), localization_channels=(2, 3))
    config = Experiment.Config(
        method=FineTuning.Config(model=model, task=Classify.Config(), unfreeze_every=2),
        data=Mnist.Config(twin=True, batch=8, augment=()),
        optimizers={"model": SGD.Config(lr=0.1, layer_decay=2.0)},
        steps=3,
    )
    found = Experiment(config)
    names = [group[0].rpartition(".")[0] for group in found.method.groups]
    assert (names[0], names[-1]) == ("transformer.localization.conv1", "head")
    assert len(names) == 6
    fresh = found.method.model.state_dict()["head.weight"].clone()
    torch.manual_seed(3)
    other = model.derive(in_channels=1, image_size=28, num_classes=4).build().state_dict()
    begin_with(found, other, same_answers=False)  # a head of four classes is not asked for
    taken = found.method.model.state_dict()
    assert torch.equal(taken["head.weight"], fresh)
    assert torch.equal(taken["transformer.regressor.bias"], other["transformer.regressor.bias"])
    learns = [name for name, p in found.method.model.named_parameters() if p.requires_grad]
    assert learns == ["head.weight", "head.bias"]
    groups = Engine(found).updater.players["model"].optimizer.param_groups
    rates = {name: group["lr"] for group in groups for name in group["names"]}
    assert (rates["model.head.bias"], rates["model.features.conv2.bias"]) == (0.1, 0.05)
    assert rates["model.transformer.regressor.bias"] == 0.1 / 2**3
    assert rates["model.transformer.localization.conv1.weight"] == 0.1 / 2**5
