"""Attributions of the windows of a sound against captum on the wave itself, in float64."""

import warnings

import pytest
import torch
from torch import nn

from netsmith.core.errors import UserError
from netsmith.explain.windows import WindowScores, cut_windows
from netsmith.workflows.attributions import Asked
from netsmith.workflows.method_tables import SOUNDS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    captum = pytest.importorskip("captum.attr")

pytestmark = pytest.mark.filterwarnings("ignore")  # captum's own
SIZE, TARGETS = 4, torch.tensor([1, 2])


@pytest.fixture(params=[1, 3])
def channels(request):
    return request.param


@pytest.fixture
def net(channels):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = (
            nn.Conv1d(channels, 5, 5, stride=2),
            nn.Softplus(),
            nn.Conv1d(5, 6, 3),
            nn.Tanh(),
            nn.AdaptiveAvgPool1d(2),
        )
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(12, 3)).double().eval()


@pytest.fixture
def sounds(channels):
    return torch.randn(2, channels, 46, dtype=torch.float64, generator=torch.Generator().manual_seed(1))  # 11.5 windows


def asked(net, sounds):
    windows = cut_windows(sounds, size=SIZE)
    segments = torch.arange(windows.shape[2])[None, None]
    scores = WindowScores(net, sounds.shape[2], channels=sounds.shape[1])
    return Asked(scores, windows, TARGETS, fill=0.0, segments=segments)


def in_windows(attributions):
    return [one.split(SIZE, dim=1) for one in attributions]


def test_the_scores_are_those_of_the_sound(net, sounds, channels):
    windows = cut_windows(sounds, size=SIZE)
    assert windows.shape == (2, channels * SIZE, 12)
    assert torch.equal(windows[1, -SIZE:, 3], sounds[1, -1, 12:16])
    assert torch.equal(WindowScores(net, 46, channels=channels)(windows), net(sounds))
    for wrong in (sounds[:, 0], sounds[:, :0], sounds[:, :, :0]):
        with pytest.raises(UserError, match="expected \\(B, C, T\\)"):
            cut_windows(wrong, size=SIZE)


@pytest.mark.parametrize("name", ["input_x_gradient", "integrated_gradients", "saliency"])
def test_the_shares_of_a_windows_samples_are_added_up(net, sounds, name):
    theirs, fold = {
        "input_x_gradient": (captum.InputXGradient(net).attribute(sounds, target=TARGETS), torch.sum),
        "saliency": (captum.Saliency(net).attribute(sounds.clone(), target=TARGETS, abs=False), torch.norm),
        "integrated_gradients": (
            captum.IntegratedGradients(net).attribute(sounds, target=TARGETS, n_steps=50, method="gausslegendre"),
            torch.sum,
        ),
    }[name]
    found = SOUNDS[name].run(asked(net, sounds))
    wanted = torch.stack([torch.stack([fold(part) for part in row]) for row in in_windows(theirs)])
    assert wanted.abs().max() > 1e-3
    assert (found.scores - wanted).abs().max() < 1e-10
    if name == "integrated_gradients":
        assert found.error.abs().max() < 1e-8


def test_covering_windows_is_covering_their_samples(net, sounds):
    sounds = sounds[:, :, :44]  # whole windows: captum's last one would be longer
    theirs = captum.FeatureAblation(net).attribute(
        sounds, target=TARGETS, feature_mask=torch.arange(11).repeat_interleave(SIZE)[None, None]
    )
    alone = torch.stack([torch.stack([part[0, 0] for part in row]) for row in in_windows(theirs)])
    one = asked(net, sounds)
    assert (SOUNDS["lime"].run(one).scores.shape) == (2, 11)
    assert (SOUNDS["occlusion"].run(one).scores - alone).abs().max() < 1e-6  # a tenth of 11 windows is one
    wide = sounds.repeat(1, 1, 2)[:, :, :80]  # 20 windows, two of them at once
    theirs = captum.Occlusion(net).attribute(
        wide, sliding_window_shapes=(len(wide[0]), 2 * SIZE), strides=(1, SIZE), target=TARGETS
    )
    pairs = torch.stack([torch.stack([part[0, 0] for part in row]) for row in in_windows(theirs)])
    assert (SOUNDS["occlusion"].run(asked(net, wide)).scores - pairs).abs().max() < 1e-6
