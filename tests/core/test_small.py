"""Keys, the schema's facts, extras, and a core that does not need torch."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

import netsmith.core
from netsmith.core.errors import ConfigError, MissingExtraError
from netsmith.core.extras import require
from netsmith.core.keys import key
from netsmith.core.spec import Inputs, Outputs, Spec, Split, Step

# -- keys -------------------------------------------------------------------------------------------------------------


def test_keys_are_fixed_for_all_time():
    text = b"0/'order'/3"
    assert key(0, "order", 3) == int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1
    assert key(0, "order", 3) == 7838902851128115718


def test_keys_tell_every_name_apart():
    calls = [(0,), (1,), (0, "a"), (0, "b"), (0, 1), (0, "1"), (0, "a", "b"), (0, "a/b"), (0, "a'/'b"), (0, "ab")]
    calls += [(0, "order", n) for n in range(5000)] + [(n, "order", 0) for n in range(1, 5000)]
    found = {key(*call) for call in calls}
    assert len(found) == len(calls)
    assert all(0 <= value < 2**63 for value in found)
    ones = sum(value.bit_count() for value in found) / (63 * len(found))
    assert abs(ones - 0.5) < 0.002  # 630,000 bits: the standard deviation is 0.0006


# -- the schema -------------------------------------------------------------------------------------------------------


def spec(inputs, outputs):
    return Spec(dataset="d", inputs=inputs, outputs=outputs)


@pytest.mark.parametrize(
    ("inputs", "outputs", "facts"),
    [
        (
            Inputs(kind="image", shape=(3, 32, 32)),
            Outputs(kind="classes", names=("a", "b")),
            {"num_outputs": 2, "num_classes": 2, "in_channels": 3, "image_size": 32, "in_features": 3072},
        ),
        (
            Inputs(kind="image", shape=(1, -1, -1)),
            Outputs(kind="classes", size=10),
            {"num_outputs": 10, "num_classes": 10, "in_channels": 1},
        ),
        (
            Inputs(kind="tokens", shape=(-1,), dtype="int64", vocabulary=("", "?", "x"), max_length=50),
            Outputs(kind="tags", names=("O", "B")),
            {"num_outputs": 2, "num_classes": 2, "tags": ("O", "B"), "vocab_size": 3, "max_length": 50},
        ),
        (
            Inputs(kind="table", shape=(7,)),
            Outputs(kind="values", names=("price",), units=("EUR",)),
            {"num_outputs": 1, "in_features": 7},
        ),
        (
            Inputs(kind="state", shape=(4,)),
            Outputs(kind="policy", size=2),
            {"num_outputs": 2, "num_classes": 2, "in_features": 4},
        ),
    ],
)
def test_facts_are_what_the_data_decides(inputs, outputs, facts):
    assert spec(inputs, outputs).facts() == facts


def test_the_schema_round_trips_and_finds_its_splits():
    full = Spec(
        dataset="d",
        inputs=Inputs(
            kind="image",
            shape=(1, 8, 8),
            dtype="uint8",
            low=0.0,
            high=255.0,
            preprocessing=(Step(name="scale", high=255.0), Step(name="normalize", mean=(0.5,), std=(0.25,))),
        ),
        outputs=Outputs(kind="classes", names=("no", "yes")),
        splits=(Split(name="train", size=9, made="seeded 10 % of train", seed=3, sha256="ab"),),
    )
    assert Spec.load(full.dump()) == full
    assert full.split("train").size == 9
    assert full.split("dev") is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Outputs(kind="classes", names=("a", "a")), "names must differ from each other"),
        (lambda: Outputs(kind="classes", names=("a", "b"), size=3), "size 3 contradicts 2 names"),
        (lambda: Step(name="normalize", mean=(0.0,), std=(0.0,)), "all deviations positive"),
        (lambda: Step(name="normalize"), "as many means as standard deviations"),
        (lambda: Step(name="scale", low=1.0, high=1.0), "scale needs low < high"),
        (lambda: Step(name="shear"), "input should be 'scale', 'normalize'"),
        (lambda: Inputs(kind="smell", shape=()), "Inputs.kind: input should be 'image', 'text'"),
        (lambda: Spec.load({"format": 2, "dataset": "d"}), "Spec.format: input should be 1 (got 2)"),
    ],
)
def test_a_contradictory_schema_is_refused(make, message):
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)


# -- extras -----------------------------------------------------------------------------------------------------------


def test_a_missing_extra_says_how_to_mend_it():
    assert require("json", extra="export").dumps([]) == "[]"
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_module_here.inner", extra="plot")
    assert str(caught.value) == (
        "no_such_module_here.inner is not installed; mend it with: pip install 'netsmith[plot]'"
    )
    assert caught.value.exit_code == 3


def test_a_broken_extra_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_extra.py").write_text("import another_missing_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="another_missing_module") as caught:
        require("broken_extra", extra="plot")
    assert not isinstance(caught.value, MissingExtraError)


# -- no torch ---------------------------------------------------------------------------------------------------------


def test_core_does_not_import_torch_or_numpy():
    modules = [f"netsmith.core.{path.stem}" for path in Path(netsmith.core.__path__[0]).glob("[!_]*.py")]
    assert len(modules) >= 9
    program = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
from netsmith.core import registry
registry.recipes(), registry.models(), registry.sizes()
heavy = sorted({{"torch", "numpy", "safetensors", "typer", "rich"}} & set(sys.modules))
raise SystemExit(f"imported {{heavy}}" if heavy else 0)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
