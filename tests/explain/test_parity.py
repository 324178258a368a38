"""Every method against captum in float64, and against closed forms."""

import warnings

import pytest
import torch
from torch import nn

from netsmith.explain.embeddings import (
    embedding_gradients,
    embedding_integrated_gradients,
    embedding_saliency,
    embedding_smooth_grad,
)
from netsmith.explain.grad_cam import grad_cam
from netsmith.explain.integrated_gradients import integrated_gradients
from netsmith.explain.occlusion import occlusion
from netsmith.explain.saliency import gradient, heat_maps, input_x_gradient, saliency, smooth_grad

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    captum = pytest.importorskip("captum.attr")

pytestmark = pytest.mark.filterwarnings("ignore")  # captum's own
TARGETS = torch.tensor([2, 0, 1])
FLOAT32 = 1e-7  # captum passes occlusions and the steps of an integral through float32


def close(ours, theirs, tolerance=1e-10):
    assert ours.shape == theirs.shape
    assert theirs.abs().max() > 1e-6, "a comparison of zeros proves nothing"
    assert (ours - theirs).abs().max() < tolerance


def test_saliency(net, images):
    close(saliency(net, images, TARGETS), captum.Saliency(net).attribute(images.clone(), target=TARGETS))
    close(saliency(net, images, 1), captum.Saliency(net).attribute(images.clone(), target=1))


def test_input_x_gradient(net, images):
    close(input_x_gradient(net, images, TARGETS), captum.InputXGradient(net).attribute(images.clone(), target=TARGETS))


@pytest.mark.parametrize("baseline", [0.0, 0.3])
def test_integrated_gradients(net, images, baseline):
    theirs, delta = captum.IntegratedGradients(net).attribute(
        images,
        baselines=torch.full_like(images, baseline),
        target=TARGETS,
        n_steps=50,
        method="gausslegendre",
        return_convergence_delta=True,
    )
    ours = integrated_gradients(net, images, TARGETS, baselines=baseline, nodes=50, rows=17)
    close(ours.attributions, theirs)
    assert (ours.completeness_error - delta).abs().max() < 1e-10


@pytest.mark.parametrize(
    ("layer", "index"), [("features.0", 0), ("features.1", 1), ("features.4", 4), ("features", None)]
)
def test_grad_cam(net, images, layer, index):
    part = net.features if index is None else net.features[index]
    theirs = captum.LayerGradCam(net, part).attribute(images, target=TARGETS, relu_attributions=True)
    close(grad_cam(net, images, TARGETS, layer=layer, upsample=False), theirs[:, 0])
    enlarged = captum.LayerAttribution.interpolate(theirs, (8, 8), interpolate_mode="bilinear")
    close(grad_cam(net, images, TARGETS, layer=layer), enlarged[:, 0])


@pytest.mark.parametrize(("window", "stride"), [((3, 3), (2, 2)), ((4, 2), (3, 1)), ((8, 8), (1, 1)), ((3, 5), (3, 5))])
def test_occlusion(net, images, window, stride):
    theirs = captum.Occlusion(net).attribute(
        images, sliding_window_shapes=(2, *window), strides=(2, *stride), baselines=0.25, target=TARGETS
    )
    ours = occlusion(net, images, TARGETS, window=window, stride=stride, fill=0.25, rows=20)
    close(ours, theirs[:, 0].double(), FLOAT32)
    close(ours, theirs[:, 1].double(), FLOAT32)
    slow, covers = torch.zeros(3, 8, 8, dtype=torch.float64), torch.zeros(8, 8)
    with torch.no_grad():
        whole = net(images).gather(1, TARGETS[:, None])[:, 0]
        for top in range(0, 8 - window[0] + stride[0], stride[0]):
            for left in range(0, 8 - window[1] + stride[1], stride[1]):
                covered = images.clone()
                area = (..., slice(top, top + window[0]), slice(left, left + window[1]))
                covered[area] = 0.25
                slow[area] += (whole - net(covered).gather(1, TARGETS[:, None])[:, 0])[:, None, None]
                covers[area] += 1
    close(ours, slow / covers, 1e-14)


def test_occlusion_of_a_table_and_a_series():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        table = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()
        series = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 7, 3)).double()
    theirs = captum.Occlusion(table).attribute(rows, sliding_window_shapes=(1,), target=1)
    close(occlusion(table, rows, 1, window=1), theirs.double(), FLOAT32)
    signals = torch.randn(4, 2, 9, dtype=torch.float64, generator=generator)
    theirs = captum.Occlusion(series).attribute(signals, sliding_window_shapes=(2, 4), strides=(2, 2), target=1)
    close(occlusion(series, signals, 1, window=4), theirs[:, 0].double(), FLOAT32)


def test_embedding_attributions(token_net, token_batch):
    targets = torch.tensor([0, 2, 1, 1])

    def forward(tokens, mask):
        return token_net({"tokens": tokens, "mask": mask})

    layer = captum.LayerIntegratedGradients(forward, token_net.embedding)
    for baselines in (torch.full_like(token_batch["tokens"], 10), token_batch["tokens"].roll(1, dims=0)):
        theirs = layer.attribute(
            token_batch["tokens"],
            baselines=baselines,
            target=targets,
            additional_forward_args=(token_batch["mask"],),
            n_steps=50,
            method="gausslegendre",
        ).sum(-1)
        ours = embedding_integrated_gradients(
            token_net,
            token_batch,
            targets,
            layer="embedding",
            baselines={"tokens": baselines, "mask": token_batch["mask"]},
            rows=30,
        )
        close(ours.attributions, theirs, FLOAT32)
        assert ours.completeness_error.abs().max() < 1e-8
    theirs = captum.LayerGradientXActivation(forward, token_net.embedding).attribute(
        token_batch["tokens"], target=targets, additional_forward_args=(token_batch["mask"],)
    )
    close(embedding_gradients(token_net, token_batch, targets, layer="embedding"), theirs.sum(-1))
    theirs = captum.LayerGradientXActivation(forward, token_net.embedding, multiply_by_inputs=False).attribute(
        token_batch["tokens"], target=targets, additional_forward_args=(token_batch["mask"],)
    )
    close(embedding_saliency(token_net, token_batch, targets, layer="embedding"), theirs.norm(dim=-1))
    zero = embedding_integrated_gradients(token_net, token_batch, targets, layer="embedding")
    assert zero.completeness_error.abs().max() < 1e-8
    assert zero.attributions[~token_batch["mask"]].abs().max() == 0  # what follows the end of a text counts nothing


def test_a_linear_model_is_explained_by_its_weights():
    linear = nn.Linear(6, 3).double()
    rows = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = linear.weight.detach()[1]
    close(gradient(linear, rows, 1), wanted.expand(5, 6), 1e-15)
    close(input_x_gradient(linear, rows, 1), rows * wanted, 1e-15)
    integrated = integrated_gradients(linear, rows, 1, nodes=1)
    close(integrated.attributions, rows * wanted, 1e-14)
    close(occlusion(linear, rows, 1, window=1), rows * wanted, 1e-13)
    generator = torch.Generator().manual_seed(0)
    close(smooth_grad(linear, rows, 1, generator=generator), wanted.expand(5, 6), 1e-14)


def test_integrated_gradients_are_exact_for_a_polynomial_and_complete_for_a_network(net, images):
    class Cubic(nn.Module):
        def forward(self, x):
            return (x[:, 0] ** 2 * x[:, 1])[:, None]

    point = torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    exact = integrated_gradients(Cubic(), point, nodes=2)  # two nodes are exact up to degree 3
    assert torch.allclose(exact.attributions, torch.tensor([[8.0, 4.0]], dtype=torch.float64), atol=1e-13)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        smooth = nn.Sequential(nn.Flatten(), nn.Linear(128, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    with torch.no_grad():
        rise = (smooth(images) - smooth(images * 0)).gather(1, TARGETS[:, None])[:, 0]
    errors = {}
    for nodes in (1, 4, 50):
        integrated = integrated_gradients(smooth, images, TARGETS, nodes=nodes)
        wanted = integrated.attributions.sum((1, 2, 3)) - rise
        assert torch.allclose(integrated.completeness_error, wanted, atol=1e-14)
        errors[nodes] = float(integrated.completeness_error.abs().max())
    assert errors[1] > 1e-3 > errors[4] > 1e-10 > errors[50]
    kinked = integrated_gradients(net, images, TARGETS, nodes=50).completeness_error.abs().max()
    assert 1e-10 < kinked < 1e-4  # max pooling bends the path; the error says how much that costs


def test_smooth_grad_follows_its_definition(net, images):
    ours = smooth_grad(net, images, TARGETS, generator=torch.Generator().manual_seed(3), samples=5, noise=0.2, rows=7)
    generator = torch.Generator().manual_seed(3)
    total = torch.zeros_like(images)
    for _ in range(5):
        draw = torch.randn(images.shape, generator=generator).double()
        for index in range(len(images)):
            sigma = 0.2 * (images[index].max() - images[index].min())
            total[index] += gradient(net, (images[index] + sigma * draw[index])[None], TARGETS[index : index + 1])[0]
    close(ours, total / 5, 1e-12)
    whole = smooth_grad(net, images, TARGETS, generator=torch.Generator().manual_seed(3), samples=5, noise=0.2)
    close(ours, whole, 1e-12)  # the cut into passes does not matter
    still = smooth_grad(net, images, TARGETS, generator=generator, samples=2, noise=0.0)
    close(still, gradient(net, images, TARGETS), 1e-12)


def test_smooth_grad_of_embeddings_follows_its_definition(token_net, token_batch):
    class Head(nn.Module):
        """Everything after the embedding."""

        def forward(self, words, mask):
            hidden, _ = token_net.mix(words)
            return token_net.head((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))

    targets, mask = torch.tensor([0, 2, 1, 1]), token_batch["mask"].double()
    settings = {"layer": "embedding", "samples": 5, "noise": 0.2}
    ours = embedding_smooth_grad(
        token_net, token_batch, targets, generator=torch.Generator().manual_seed(3), rows=7, **settings
    )
    generator = torch.Generator().manual_seed(3)
    words = token_net.embedding(token_batch["tokens"]).detach()
    sigma = 0.2 * (words.amax((1, 2)) - words.amin((1, 2)))
    total = torch.zeros_like(words)
    for _ in range(5):
        noisy = words + sigma[:, None, None] * torch.randn(words.shape, generator=generator).double()
        total += captum.Saliency(Head()).attribute(
            noisy.requires_grad_(), target=targets, abs=False, additional_forward_args=mask
        )
    close(ours, (total / 5).norm(dim=-1), 1e-12)
    still = embedding_smooth_grad(token_net, token_batch, targets, generator=generator, **(settings | {"noise": 0.0}))
    close(still, embedding_saliency(token_net, token_batch, targets, layer="embedding"), 1e-12)


def test_heat_maps():
    attributions = torch.tensor([[[[1.0]], [[-3.0]]]])
    assert heat_maps(attributions).item() == 3
    assert heat_maps(attributions, reduce="sum").item() == -2
