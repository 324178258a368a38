"""``import``: published weights become a run."""

import html
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from netsmith.models.vision.lenet5 import LeNet5
from netsmith.models.vision.resnet import ResNet

FORM = "--image-size 32 --set width=4 --set layers=[1,1]"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Weights of a small network under torchvision's names, and the network."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    config = ResNet.Config(layers=(1, 1), width=4, in_channels=3, num_classes=3)
    network = config.build()
    for tensor in network.state_dict().values():
        tensor.add_((0.2 * torch.rand(tensor.shape)).to(tensor.dtype))
    names = {"stem.conv": "conv1", "stem.norm": "bn1", "head": "fc"}
    for stage in range(2):
        at = f"stages.{stage}.0."
        names |= {
            f"{at}branch.{kind}{n}": f"layer{stage + 1}.0.{new}{n}"
            for kind, new in (("conv", "conv"), ("norm", "bn"))
            for n in (1, 2)
        }
        names |= {
            f"{at}shortcut.{kind}": f"layer{stage + 1}.0.downsample.{n}" for n, kind in enumerate(("conv", "norm"))
        }
    public = {}
    for name, tensor in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        public[f"{names[layer]}.{kind}"] = tensor
    safetensors.torch.save_file(public, "public.safetensors")
    return network.eval()


def test_published_weights_answer_as_their_source(netsmith, weights):
    Path("names.txt").write_text("cat\ndog\nbird\n")
    found = netsmith(f"import resnet18 public.safetensors {FORM} --crop 0 --classes names.txt --name mine")
    assert found.code == 0, found.err
    assert "under the names of torchvision" in found.err
    assert found.out.splitlines() == [f"run: {Path('runs/mine')}", "next: netsmith predict runs/mine PICTURE"]
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("x.png")
    (row,) = json.loads(netsmith("predict runs/mine x.png --json").out)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = torch.from_numpy(((pixels / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
    want = weights(x).softmax(1)[0]
    assert [row["probabilities"][name] for name in ("cat", "dog", "bird")] == pytest.approx(want.tolist(), abs=1e-5)
    assert netsmith("export runs/mine").code == 0
    assert netsmith("report runs/mine").code == 0
    again = "--classes names.txt --image-size 32 --crop 0.0 --set width=4 --set 'layers=[1, 1]'"
    assert f"netsmith import resnet18 public.safetensors {again}" in html.unescape(
        Path("runs/mine/report.html").read_text()
    )
    refused = netsmith("evaluate runs/mine")
    assert refused.code == 2
    assert "did not come with the weights" in refused.line


def test_the_classes_are_counted_behind_the_prefix_of_parallel_training(netsmith, weights):
    public = safetensors.torch.load_file("public.safetensors")
    torch.save({f"module.{name}": tensor for name, tensor in public.items()}, "parallel.pth")  # noqa: TID251
    found = netsmith(f"import resnet18 parallel.pth {FORM}")
    assert (found.code, "under the names of torchvision" in found.err) == (0, True)


@pytest.mark.parametrize("shape", [(), (0, 8), (3,)])
def test_a_head_that_has_no_rows_of_classes_is_refused(netsmith, weights, shape):
    public = safetensors.torch.load_file("public.safetensors")
    safetensors.torch.save_file(public | {"fc.weight": torch.ones(shape)}, "odd.safetensors")
    refused = netsmith(f"import resnet18 odd.safetensors {FORM}")
    assert refused.code == 2
    assert refused.line == f"head.weight has the shape {shape}; expected 2 axes, one row for each class"


def test_two_published_networks_are_compared_on_given_pictures(netsmith, weights):
    for name in ("one", "other"):
        assert netsmith(f"import resnet18 public.safetensors {FORM} --name {name}").code == 0
    refused = netsmith("similarity runs/one runs/other")
    assert refused.code == 2
    assert "did not come with the weights); predict, export and serve" in refused.line
    assert "similarity with --input, work without" in refused.line
    Path("pictures").mkdir()
    for at, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(f"pictures/{at}.png")
    found = json.loads(netsmith("similarity runs/one runs/other --input pictures --json").out)
    assert [row[at] for at, row in enumerate(found["rsa"])] == pytest.approx([1] * len(found["rows"]))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("resnet99 public.safetensors", "no network named 'resnet99'; did you mean 'resnet' or 'resnet56'?"),
        ("resnet18 none.pth", "none.pth: there is no such file"),
        ("mlp public.safetensors", "mlp does not work on images; weights are imported for networks that do"),
        (f"resnet18 public.safetensors {FORM} --classes x.txt", "x.txt: expected a text file with the name of a class"),
        (f"resnet18 public.safetensors {FORM} --classes twice.txt", "two classes have one name: 'cat'; make each its "),
        ("small_cnn public.safetensors", "small_cnn was published for no size of images; give image_size (--image-"),
        ("resnet18 public.safetensors", "these weights do not fit resnet under the names of netsmith, torchvision, tr"),
    ],
)
def test_what_does_not_fit_leaves_no_run(netsmith, weights, command, message):
    Path("twice.txt").write_text("cat\ndog\ncat\n")
    refused = netsmith(f"import {command}")
    assert refused.code == 2
    assert refused.line.startswith(message)
    assert not Path("runs").exists()


def test_a_network_of_gray_images_wants_its_own_normalization(netsmith, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = LeNet5.Config(in_channels=1, image_size=28, num_classes=4).build()
    safetensors.torch.save_file(network.state_dict(), "gray.safetensors")
    refused = netsmith("import lenet5 gray.safetensors")
    assert refused.code == 2
    assert refused.line.startswith("lenet5 takes images of 1 channels: give as many mean and std of the images it was")
    assert not Path("runs").exists()
    assert netsmith("import lenet5 gray.safetensors --mean 0.13 --std 0.31").code == 0
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save("x.png")
    (row,) = json.loads(netsmith("predict runs/lenet5 x.png --json").out)
    x = torch.from_numpy((pixels / 255 - 0.13) / 0.31)[None, None].float()
    want = network.eval()(x).softmax(1)[0]
    assert [row["probabilities"][name] for name in "0123"] == pytest.approx(want.tolist(), abs=1e-5)


def test_a_picture_of_another_size_is_cropped_in_its_middle(netsmith, weights):
    """As torchvision does: the shorter side becomes 32 / 0.875, and the middle is cut out; --crop 0 squashes."""
    public = safetensors.torch.load_file("public.safetensors")
    weights.head.weight.data.mul_(1e-3)  # so that the classes do not differ by hundreds
    safetensors.torch.save_file(public | {"fc.weight": weights.head.weight}, "public.safetensors")
    for name, options in (("middle", ""), ("whole", "--crop 0")):
        assert netsmith(f"import resnet18 public.safetensors {FORM} {options} --name {name}").code == 0
    refused = netsmith(f"import resnet18 public.safetensors {FORM} --crop 3")
    assert "crop is 3; expected a share from 0.1 to 1" in refused.line
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8))
    picture.save("wide.png")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    scaled = picture.resize((66, 37), Image.Resampling.BILINEAR)  # 90 * 37 / 50 = 66.6, cut off
    seen = {
        "middle": scaled.crop((17, 2, 49, 34)),
        "whole": picture.resize((32, 32), Image.Resampling.BILINEAR),
    }
    answers = []
    for name, image in seen.items():
        (row,) = json.loads(netsmith(f"predict runs/{name} wide.png --json").out)
        x = torch.from_numpy(((np.asarray(image) / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
        want = weights(x).softmax(1)[0]
        answers.append([row["probabilities"][label] for label in "012"])
        assert answers[-1] == pytest.approx(want.tolist(), abs=1e-5)
    assert answers[0] != pytest.approx(answers[1], abs=1e-3)
    small = picture.crop((0, 0, 32, 32))  # of the network's own size: scaled and cut all the same, as in the test
    small.save("small.png")
    (row,) = json.loads(netsmith("predict runs/middle small.png --json").out)
    seen = small.resize((37, 37), Image.Resampling.BILINEAR).crop((2, 2, 34, 34))
    x = torch.from_numpy(((np.asarray(seen) / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
    want = weights(x).softmax(1)[0]
    assert [row["probabilities"][label] for label in "012"] == pytest.approx(want.tolist(), abs=1e-5)
    assert netsmith("report runs/whole").code == 0
    assert "--image-size 32 --crop 0.0 --set" in html.unescape(Path("runs/whole/report.html").read_text())
