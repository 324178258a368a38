"""Prototypes that a generator draws: what it draws them for, in which range, and what is refused."""

import pytest
import torch
from torch import nn

import netsmith
from netsmith.api.network import Network
from netsmith.core.errors import UnsupportedError
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.workflows.painted import drawn_range, generated_prototypes


def test_prototypes_drawn_by_a_generator():
    """The generator draws one gray per picture; a class that likes bright pixels gets white, the other black."""
    scores = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    paint = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh())
    with torch.no_grad():
        scores[1].weight.copy_(torch.tensor([[-1.0] * 4, [1.0] * 4]))
        paint[0].weight.copy_(torch.ones(4, 3))
    picture = Inputs(kind="image", shape=(1, 2, 2), low=0.0, high=10.0)
    network = Network(
        scores, Spec(dataset="drawn", inputs=picture, outputs=Outputs(kind="classes", names=("dark", "bright")))
    )
    noise = Inputs(kind="none", shape=(3,))
    painter = Network(
        paint, Spec(dataset="drawn", inputs=noise, outputs=Outputs(kind="samples", size=4)), name="painter"
    )
    (group,), _ = generated_prototypes(network, painter, each=2)
    captions = [picture.caption.partition(": ") for picture in group.pictures]
    assert [caption[0] for caption in captions] == ["dark", "dark", "bright", "bright"]
    assert [float(caption[2]) for caption in captions] == pytest.approx([0, 0, 40, 40], abs=0.1)
    wide = Network(
        nn.Linear(3, 5), Spec(dataset="drawn", inputs=noise, outputs=Outputs(kind="samples", size=5)), name="wide"
    )
    with pytest.raises(UnsupportedError, match=r"wide draws \(5,\), network takes \(1, 2, 2\) in 0.0..10.0"):
        generated_prototypes(network, wide)
    with pytest.raises(UnsupportedError, match="network takes image inputs and answers classes; expected a generator"):
        generated_prototypes(network, network)
    with pytest.raises(UnsupportedError, match="for classes; painter takes none inputs and answers samples"):
        generated_prototypes(painter, painter)


def test_black_and_white_are_what_the_preparation_makes_of_them():
    steps = Step(name="scale", low=0, high=255), Step(name="normalize", mean=(0.5, 0.25), std=(0.5, 0.125))
    inputs = Inputs(kind="image", shape=(2, 3, 3), low=0.0, high=255.0, preprocessing=steps)
    data = Spec(dataset="drawn", inputs=inputs, outputs=Outputs(kind="classes", names=("a", "b"), size=2))
    low, high = drawn_range(data, "painter")
    assert (low[:, 1, 2].tolist(), high[:, 1, 2].tolist()) == ([-1.0, -2.0], [1.0, 6.0])
    points = Spec(dataset="ring", inputs=Inputs(kind="table", shape=(2,)), outputs=Outputs(kind="values", size=2))
    with pytest.raises(
        UnsupportedError, match=r"gan imitates ring: table inputs of shape \(2,\) in None..None; expected"
    ):
        drawn_range(points, "gan")


GAN = """
from torch import nn

from netsmith.core.roles import ModelConfig, TaskConfig
from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.engine.task import Ratio, Task
from netsmith.methods.adversarial import Adversarial
from netsmith.optim.adam import Adam

CARD = {"title": "GAN", "paper": "arXiv:1406.2661"}


class Draw(nn.Module):
    class Config(ModelConfig):
        pass

    def __init__(self, config):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, noise):
        return self.layers(noise)


class Tell(nn.Module):
    class Config(ModelConfig):
        pass

    def __init__(self, config):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))

    def forward(self, pictures):
        return self.layers(pictures)


class Level(Task):
    class Config(TaskConfig):
        pass

    def __init__(self, config):
        super().__init__()

    def loss(self, output, target, weights=None):
        raise NotImplementedError

    def metrics(self):
        return {"level": Ratio(lambda output, target: (output.sum(), output.numel()))}

    def decode(self, output, outputs):
        return [{"level": float(one.mean())} for one in output]


experiment = Experiment.Config(
    method=Adversarial.Config(
        generator=Draw.Config(), discriminator=Tell.Config(), task=Level.Config(), latent_size=4
    ),
    data=Digits.Config(batch=64, twin=True),
    optimizers={"generator": Adam.Config(), "discriminator": Adam.Config()},
    steps=3,
)
"""


def test_a_run_that_draws_is_searched_by_explain(tmp_path, monkeypatch):
    (tmp_path / "gan.py").write_text(GAN)
    settings = {"root": tmp_path / "runs", "notice": lambda _: None}
    netsmith.train(str(tmp_path / "gan.py"), name="gan", **settings)
    small = {"data.twin": True, "epochs": 1}
    run = netsmith.train("cnn_digits", sets=small, name="cnn", **settings)
    gan = netsmith.load(tmp_path / "runs" / "gan", code=tmp_path / "gan.py")
    found = run.explain(count=2, method="prototypes", generator=gan)
    titles = [group.title for group in found.groups]
    assert titles == ["Class prototypes", "Typical examples", "Prototypes drawn by a generator", "Most confused pairs"]
    drawn = found.groups[2].pictures
    assert [one.caption.partition(":")[0] for one in drawn] == [str(digit) for digit in range(10) for _ in range(3)]
    with pytest.raises(UnsupportedError, match="a generator draws prototypes; name that as a method"):
        run.explain(method="saliency", generator=gan)
    with pytest.raises(UnsupportedError, match="cnn takes image inputs and answers classes; expected a generator"):
        run.explain(generator=run)
    shown = run.network.explain(torch.zeros(1, 1, 8, 8), tmp_path / "why", method="prototypes", generator=gan)
    assert [group.title for group in shown.groups] == ["Class prototypes", "Prototypes drawn by a generator"]
