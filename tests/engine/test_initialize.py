"""An experiment may name how first weights are drawn; one that does not is the same as before there was a choice."""

import pytest
import torch
from torch import nn

import toy
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.roles import MethodConfig
from netsmith.engine.experiment import Experiment
from netsmith.engine.method import Method
from netsmith.layers.initializers.constant import Constant
from netsmith.layers.initializers.gaussian import Gaussian
from netsmith.layers.initializers.he import He
from netsmith.layers.initializers.lsuv import Lsuv
from netsmith.layers.initializers.orthogonal import Orthogonal


class Still(Method):
    """Learns without a layer."""

    class Config(MethodConfig):
        pass

    def __init__(self, config, *, spec):
        super().__init__()
        self.model = nn.Identity()
        self.task = toy.Classify.Config().build()

    def step(self, feed, update):
        return {}


def weights(**changes):
    return dict(Experiment(toy.config(**changes)).method.named_parameters())


def test_what_was_hashed_before_there_was_a_choice_is_the_same():
    config = Experiment(toy.config()).config
    assert "initialize" not in config.to_json()
    changed = config.derive(initialize=Orthogonal.Config())
    assert changed.sha256() != config.sha256()
    assert Experiment.Config.load(changed.dump(), kinds=toy.KINDS) == changed
    assert changed.derive(initialize=None) == config


def test_weights_are_those_of_the_rule_and_of_the_seed():
    found = weights(initialize=Orthogonal.Config(gain=2.0, bias=0.25))
    gram = found["model.a.weight"].T @ found["model.a.weight"]
    torch.testing.assert_close(gram, 4 * torch.eye(8), atol=1e-5, rtol=0)
    assert found["model.a.bias"].unique().tolist() == [0.25]
    again, other = (weights(initialize=Orthogonal.Config(gain=2.0, bias=0.25), seed=seed) for seed in (0, 1))
    assert torch.equal(found["model.b.weight"], again["model.b.weight"])
    assert not torch.equal(found["model.b.weight"], other["model.b.weight"])
    double = weights(initialize=Orthogonal.Config(gain=2.0, bias=0.25), precision="fp64")
    assert double["model.a.weight"].dtype == torch.float64
    torch.testing.assert_close(double["model.a.weight"].float(), found["model.a.weight"])


def test_every_network_of_a_method_is_drawn_and_what_is_left_is_left():
    plain = dict(Experiment(toy.duel()).method.named_parameters())
    drawn = Experiment(toy.duel(initialize=Constant.Config(value=0.5, leave=("critic.a",)))).method
    for name, parameter in drawn.named_parameters():
        if name.startswith("critic.a."):
            assert torch.equal(parameter, plain[name])
        else:
            assert parameter.unique().tolist() == [0.0 if name.endswith("bias") else 0.5]


def test_lsuv_sees_the_first_training_batch_and_leaves_no_other_trace():
    changes = {"method": toy.Supervised.Config(model=toy.ConvNet.Config()), "data": toy.Pictures.Config()}
    experiment = Experiment(toy.config(initialize=Lsuv.Config(tolerance=1e-4), **changes))
    model = experiment.method.model
    assert model.norm.num_batches_tracked == 0
    assert model.training
    answers = []
    for layer in (model.conv, model.deep, model.head):
        layer.register_forward_hook(lambda layer, inputs, output: answers.append(float(output.var(correction=0))))
    indices = experiment.source.order("train", seed=0, epoch=0)[0]
    with torch.no_grad():
        model.eval()(experiment.source.load("train", indices).inputs)
    assert answers == pytest.approx([1, 1, 1], abs=2e-4)


def test_a_saved_run_brings_its_weights_so_nothing_is_looked_at():
    config = Experiment(toy.config(initialize=Lsuv.Config())).config
    saved = Experiment(config, spec=toy.Table.Config().build().spec)
    assert saved.source is None


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"method": Still.Config(), "initialize": He.Config()}, ConfigError, "Still has no linear, convolution"),
        (
            {
                "method": toy.Reach.Config(),
                "data": toy.Track.Config(),
                "epochs": 0,
                "steps": 3,
                "initialize": Lsuv.Config(),
            },
            UnsupportedError,
            r"Lsuv.Config\(\) looks at what layers answer to examples of the data, and what Reach learns from track",
        ),
        (
            {"initialize": Gaussian.Config(leave=("model.c",))},
            ConfigError,
            r"no module 'model.c'; did you mean 'model\.",
        ),
    ],
)
def test_what_means_nothing_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        Experiment(toy.config(**changes))
