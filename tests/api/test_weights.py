"""Published weights: what is read, and what is refused; the mappings are tested beside their networks."""

import zipfile

import pytest
import safetensors.torch
import torch

from netsmith.api.weights import read_weights
from netsmith.core.errors import DataError

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
