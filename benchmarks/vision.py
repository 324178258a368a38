"""Vision networks against a peer of the same form: forward pass and training step, in turns in one process.

ResNet-18 and MobileNet v2 against Hugging Face transformers' (the same weights; logits are compared before anything is
timed), VGG-11 against the plain ``torch.nn.Sequential`` that torchvision's definition comes down to. Each round times
one of ours and one of theirs right after each other, in an order that alternates; the ratio is theirs over ours, so
above 1 ours is faster. Then what channels-last and bf16 add to ours: the time of plain fp32 over theirs.

Run: python benchmarks/vision.py [--rounds 9] [--batch 4] [--size 160] [--out benchmarks/vision.evidence.json]
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib
import json
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from _evidence import write
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.api.weights import adopt_weights
from netsmith.core.roles import ModelConfig
from netsmith.models.vision.mobilenet_v2 import MobileNetV2
from netsmith.models.vision.resnet import ResNet
from netsmith.models.vision.vgg import VGG

CLASSES = 1000
LIMIT = 0.97


class Logits(nn.Module):
    """Hand on the logits of a network of transformers."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).logits


def pairs(size: int) -> dict[str, tuple[nn.Module, nn.Module]]:
    """Return ours and theirs, with the same weights."""
    transformers: Any = importlib.import_module("transformers")
    facts = {"in_channels": 3, "num_classes": CLASSES}
    basic = transformers.ResNetConfig(
        depths=[2, 2, 2, 2],
        hidden_sizes=[64, 128, 256, 512],
        layer_type="basic",
        downsample_in_first_stage=False,
        num_labels=CLASSES,
    )
    mobile = transformers.MobileNetV2Config(
        num_labels=CLASSES, tf_padding=False, classifier_dropout_prob=0.2, finegrained_output=True
    )
    configs: dict[str, tuple[ModelConfig, nn.Module]] = {
        "resnet18": (
            ResNet.Config(layers=(2, 2, 2, 2), **facts),
            Logits(transformers.ResNetForImageClassification(basic)),
        ),
        "mobilenet_v2": (
            MobileNetV2.Config(norm_eps=1e-3, **facts),
            Logits(transformers.MobileNetV2ForImageClassification(mobile)),
        ),
        "vgg11": (VGG.Config(layers=(1, 1, 2, 2, 2), image_size=size, **facts), plain_vgg11(size)),
    }
    found = {}
    for name, (config, theirs) in configs.items():
        ours = config.build()
        weights = theirs.network.state_dict() if isinstance(theirs, Logits) else theirs.state_dict()
        adopt_weights(ours, config, weights)
        found[name] = (ours, theirs)
    return found


def plain_vgg11(size: int) -> nn.Module:
    """Return configuration A with the names of torchvision."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)] if width else [nn.MaxPool2d(2, 2)]
        channels = width or channels
    side = size // 32
    head = [
        nn.Linear(512 * side * side, 4096), nn.ReLU(inplace=True), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, CLASSES),
    ]  # fmt: skip
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(*layers))
    network.add_module("flatten", nn.Flatten())
    network.add_module("classifier", nn.Sequential(*head))
    return network


def step_of(
    network: nn.Module, images: Tensor, labels: Tensor, *, train: bool, bf16: bool = False
) -> Callable[[], None]:
    """Return what is timed: a forward pass without gradients, or a step of SGD with momentum."""
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

    def autocast() -> contextlib.AbstractContextManager[Any]:
        return torch.autocast("cpu", torch.bfloat16) if bf16 else contextlib.nullcontext()

    def forward() -> None:
        network.eval()
        with torch.inference_mode(), autocast():
            network(images)

    def step() -> None:
        network.train()
        optimizer.zero_grad()
        with autocast():
            logits = network(images)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step if train else forward


def ratios(ours: Callable[[], None], theirs: Callable[[], None], *, rounds: int) -> dict[str, float]:
    """Return median, least and largest of theirs over ours."""
    for one in (ours, theirs):
        one()
        one()
    found = []
    for number in range(rounds):
        taken = {}
        for key, one in ((0, ours), (1, theirs)) if number % 2 else ((1, theirs), (0, ours)):
            begin = time.perf_counter()
            one()
            taken[key] = time.perf_counter() - begin
        found.append(taken[1] / taken[0])
    return {"median": statistics.median(found), "least": min(found), "largest": max(found), "rounds": rounds}


def compare(name: str, ours: nn.Module, theirs: nn.Module, *, batch: int, size: int, rounds: int) -> dict[str, Any]:
    images, labels = torch.randn(batch, 3, size, size), torch.randint(CLASSES, (batch,))
    with torch.inference_mode():
        expected, got = theirs.eval()(images), ours.eval()(images)
    error = float((got - expected).abs().max() / expected.abs().max())
    assert error < 1e-5, f"{name} differs from its peer by {error}"
    found: dict[str, Any] = {"relative_error": error}
    for kind in ("forward", "training"):
        train = kind == "training"
        one, peer = (step_of(network, images, labels, train=train) for network in (ours, theirs))
        found[kind] = ratios(one, peer, rounds=rounds)
        print(name, kind, f"{found[kind]['median']:.3f}", flush=True)
    plain = step_of(ours, images, labels, train=True)
    for kind, last, bf16 in (("channels_last", True, False), ("bf16", False, True), ("channels_last_bf16", True, True)):
        other = _copy(ours, channels_last=last)
        shown = images.contiguous(memory_format=torch.channels_last) if last else images
        found[f"{kind}_adds"] = ratios(step_of(other, shown, labels, train=True, bf16=bf16), plain, rounds=rounds)
        print(name, kind, f"{found[f'{kind}_adds']['median']:.3f}", flush=True)
    return found


def _copy(network: nn.Module, *, channels_last: bool) -> nn.Module:
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    return copy.deepcopy(network).to(memory_format=memory_format)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    found: Mapping[str, Any] = {
        name: compare(name, ours, theirs, batch=asked.batch, size=asked.size, rounds=asked.rounds)
        for name, (ours, theirs) in pairs(asked.size).items()
    }
    worst = min(one[kind]["median"] for one in found.values() for kind in ("forward", "training"))
    value = {
        "ratio": "theirs over ours; channels-last and bf16: plain fp32 over that",
        "threads": asked.threads,
        "limit": LIMIT,
        "worst": worst,
        "networks": found,
    }
    write(asked.out, value)
    print(json.dumps(value["networks"], indent=2))
    print(f"worst median {worst:.3f}, limit {LIMIT}: {'met' if worst >= LIMIT else 'MISSED'}")


if __name__ == "__main__":
    main()
