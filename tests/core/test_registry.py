"""The file system is the registry: literals without an import, one name one file."""

import sys
from pathlib import Path

import pytest

from netsmith.core import registry
from netsmith.core.errors import ConfigError, UnknownNameError
from netsmith.core.roles import HookConfig
from netsmith.engine.hooks.ema import Ema

CARD = '"""A recipe.\n\nMore."""\nraise SystemExit("imported")\nCARD = {"paper": "none", "claims": []}\n'


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_literals_are_read_and_nothing_runs(package):
    package("recipes/vision/one.py", CARD + 'VARIANTS: dict = {"56": {"set": {"depth": 56}}}\nSECRET = {"a": 1}\n')
    package("recipes/vision/_shared.py", CARD)
    package("recipes/text/__init__.py", "")
    package("recipes/text/plain.py", '"""No card."""\n')
    before = set(sys.modules)
    found = registry.recipes()
    assert set(sys.modules) == before
    assert list(found) == ["one"]
    assert found["one"].doc == "A recipe."
    assert found["one"].module == "netsmith.recipes.vision.one"
    assert found["one"].literals == {
        "CARD": {"paper": "none", "claims": []},
        "VARIANTS": {"56": {"set": {"depth": 56}}},
    }
    assert registry.find_recipe("one:56")[1] == "56"
    assert registry.find_recipe("one")[1] == ""


def test_unknown_recipes_and_variants_suggest(package):
    package("recipes/lenet5_mnist.py", CARD + 'VARIANTS = {"small": {}}\n')
    with pytest.raises(UnknownNameError) as caught:
        registry.find_recipe("lenet_mnist")
    assert str(caught.value) == "no recipe named 'lenet_mnist'; did you mean 'lenet5_mnist'?"
    with pytest.raises(UnknownNameError) as caught:
        registry.find_recipe("lenet5_mnist:smal")
    assert str(caught.value) == "no variant of lenet5_mnist named 'smal'; did you mean 'small'?"


def test_sizes_name_their_file(package):
    builds = "class ResNet:\n    class Config:\n        pass\n"
    package(
        "models/vision/resnet.py", f'SIZES = {{"resnet18": {{"depth": 18}}, "resnet50": {{"depth": 50}}}}\n{builds}'
    )
    package("models/vision/blocks.py", "class Block:\n    pass\n")  # a helper is no model
    found = registry.sizes()
    assert list(found) == ["resnet", "resnet18", "resnet50"]
    assert (found["resnet50"][0].name, found["resnet50"][1]) == ("resnet", {"depth": 50})


def test_duplicate_names_are_errors_everywhere(package):
    package("recipes/a/same.py", CARD)
    package("recipes/b/same.py", CARD)
    with pytest.raises(ConfigError, match=r"two files are named 'same': .*a.same\.py and .*b.same\.py; rename one"):
        registry.recipes()
    package("engine/hooks/ema.py", "")
    package("engine/hooks/more/ema.py", "")
    with pytest.raises(ConfigError, match="two files are named 'ema'"):
        registry.find_kind(HookConfig, "ema")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CARD = dict(paper='x')\n", "bad.py, line 1: CARD must be a pure literal"),
        ("\nSIZES = {'a': open('x')}\n", "bad.py, line 2: SIZES must be a pure literal"),
        ("CARD = {\n", "bad.py is not a Python file"),
        ("CARD = {}\x00\n", "bad.py is not a Python file"),
    ],
)
def test_malformed_files_are_named(package, text, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        registry.literals(package("recipes/bad.py", text))


def test_not_utf8(package, tmp_path):
    path = package("recipes/bad.py", "")
    path.write_bytes(b"CARD = '\xff'\n")
    with pytest.raises(ConfigError, match=r"bad\.py is not a Python file"):
        registry.literals(path)


def test_config_in_finds_the_one_of_the_role():
    assert registry.config_in("netsmith.engine.hooks.ema", HookConfig) is Ema.Config
    assert registry.config_in("netsmith.engine.hooks.journal", HookConfig) is None
    assert registry.find_kind(HookConfig, "ema") is Ema.Config


def test_the_catalogue_as_it_is_has_no_duplicates_and_pure_literals():
    for entry in {**registry.recipes(), **registry.models()}.values():
        assert entry.path.is_file()
    assert set(registry.models()) <= set(registry.sizes())


def test_a_file_is_read_again_where_it_is_another_one(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(f'"""Doc."""\nCARD = {{"title": "{name}"}}\n')
    found = []
    for name in ("one", "two", "one"):
        monkeypatch.chdir(tmp_path / name)
        found.append(registry.literals(Path("mine.py"))[1]["CARD"]["title"])
    assert found == ["one", "two", "one"]
    Path("mine.py").write_text('"""Doc."""\nCARD = {"title": "three"}\n')
    assert registry.literals(Path("mine.py"))[1]["CARD"]["title"] == "three"
