"""Published weights: what is read, and what is refused; the mappings are tested beside their networks."""

import zipfile

import pytest
import safetensors.torch
import torch

from netsmith.api.weights import adopt_weights, read_weights
from netsmith.core.errors import ConfigError, DataError
from netsmith.models.vision.googlenet import GoogLeNet
from netsmith.models.vision.resnet import ResNet

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


class Thing:
    """What must not be made by reading a file."""


@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"state_dict": w, "epoch": 3}, lambda w: {"model": w}])
def test_named_tensors_are_read(tmp_path, wrap):
    torch.save(wrap(WEIGHTS), tmp_path / "w.pth")  # noqa: TID251
    found = read_weights(tmp_path / "w.pth")
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


def test_safetensors_are_read(tmp_path):
    safetensors.torch.save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["a.weight"], WEIGHTS["a.weight"])


def test_the_prefix_of_parallel_training_is_taken_off(tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in WEIGHTS.items()}, tmp_path / "w.pth")  # noqa: TID251
    safetensors.torch.save_file({f"module.{name}": t for name, t in WEIGHTS.items()}, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        assert read_weights(tmp_path / name).keys() == WEIGHTS.keys()


def test_what_holds_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_weights(tmp_path / "none.pth")
    torch.save({"thing": Thing()}, tmp_path / "code.pth")  # noqa: TID251
    with pytest.raises(DataError, match=r"code.pth holds more than tensors and is refused"):
        read_weights(tmp_path / "code.pth")
    torch.save([1, 2], tmp_path / "list.pt")  # noqa: TID251
    with pytest.raises(DataError, match=r"list.pt does not hold named tensors, but 'list'"):
        read_weights(tmp_path / "list.pt")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(DataError, match=r"text.safetensors does not hold named tensors"):
        read_weights(tmp_path / "text.safetensors")
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as file:
        file.writestr("readme", "hello")
    with pytest.raises(DataError, match=r"zip.pth"):
        read_weights(tmp_path / "zip.pth")


def test_one_entry_that_is_no_tensor_is_named(tmp_path):
    torch.save({"a.weight": torch.ones(2), "epoch": 3}, tmp_path / "w.pth")  # noqa: TID251
    with pytest.raises(DataError, match=r"does not hold named tensors alone: 'epoch' is 'int'"):
        read_weights(tmp_path / "w.pth")
    with pytest.raises(DataError, match="expected a file of weights, got a folder"):
        read_weights(tmp_path)


def network():
    config = ResNet.Config(layers=(1,), width=4, stem="small", in_channels=3, num_classes=2)
    return config, config.build()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: (t * 100).to(torch.int8), r"head.weight holds torch.int8; expected numbers like torch.float32"),
        (lambda t: t.to(torch.complex64), r"head.weight holds torch.complex64"),
        (lambda t: t * float("nan"), r"head.weight holds values that are not finite"),
        (lambda t: t.to_sparse(), r"head.weight is sparse, quantized or without numbers"),
        (lambda t: t.to("meta"), r"head.weight is sparse, quantized or without numbers"),
    ],
)
def test_numbers_that_would_be_changed_silently_are_refused_before_anything_is_copied(change, message):
    config, ours = network()
    weights = {name: tensor + 1 for name, tensor in network()[1].state_dict().items()}
    weights["head.weight"] = change(weights["head.weight"])
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    with pytest.raises(DataError, match=message):
        adopt_weights(ours, config, weights)
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_two_names_for_one_tensor_are_refused():
    config, ours = network()
    weights = dict(network()[1].state_dict())
    with pytest.raises(ConfigError, match=r"unknown fc.weight"):
        adopt_weights(ours, config, weights | {"fc.weight": weights["head.weight"]})
    assert adopt_weights(ours, config, weights) == "netsmith"
    assert torch.equal(ours.state_dict()["head.weight"], weights["head.weight"])


def test_a_variance_below_zero_is_refused_and_counters_may_be_floats():
    config, ours = network()
    weights = dict(network()[1].state_dict())
    assert adopt_weights(ours, config, weights | {"stem.norm.num_batches_tracked": torch.tensor(7.0)}) == "netsmith"
    assert ours.state_dict()["stem.norm.num_batches_tracked"] == torch.tensor(7)
    with pytest.raises(DataError, match=r"stem.norm.running_var holds -0.5; a variance is not below zero"):
        adopt_weights(ours, config, weights | {"stem.norm.running_var": torch.tensor([1.0, 0.0, -0.5, 1.0])})


def test_a_part_that_the_network_has_on_demand_is_named():
    thin = {"in_channels": 1, "num_classes": 2, "image_size": 32, "stem": "small"}
    with_head, without = GoogLeNet.Config(**thin, auxiliary=True), GoogLeNet.Config(**thin)
    with torch.device("meta"):
        weights, target = with_head.build().state_dict(), without.build()
    with pytest.raises(ConfigError, match=r"they hold 'auxiliary': set auxiliary=true \(--set auxiliary=true\)"):
        adopt_weights(target, without, weights)
    with pytest.raises(ConfigError) as error:
        adopt_weights(target, without, weights | {"more": torch.ones(1)})
    assert "--set" not in str(error.value)
