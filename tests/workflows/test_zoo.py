import pytest

from netsmith.api.catalogue import list_recipes
from netsmith.cli import main
from netsmith.core.registry import sizes
from netsmith.workflows import zoo

NAMES = ("lenet5_mnist", "distilled_mnist", "naive_bayes_digits", "cnn_digits")


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    rows = [row for row in list_recipes() if row["name"] in NAMES]
    monkeypatch.setattr(zoo, "list_recipes", lambda: rows)
    monkeypatch.setattr(zoo, "sizes", lambda: {name: sizes()[name] for name in ("resnet50", "vgg16", "lenet5")})


def test_costs_are_counted_and_accuracies_are_those_of_the_evidence():
    found = zoo.measured_recipes()
    assert set(found) == {"mnist", "digits"}
    assert [row["name"] for row in found["digits"]] == ["cnn_digits"]  # a classifier that counts has no parameters
    rows = {row["name"]: row for row in found["mnist"]}
    assert rows["lenet5_mnist"]["parameters"] == 61_706
    (listed,) = (row for row in list_recipes() if row["name"] == "lenet5_mnist")
    assert rows["lenet5_mnist"]["accuracy"] == pytest.approx(listed["claims"][0]["measured"]["mean"])
    assert {row["seeds"] for row in rows.values()} == {3}


def test_the_page_has_a_chart_where_there_is_something_to_compare(tmp_path, capsys):
    assert main(["list", "--page", str(tmp_path / "zoo.html")]) == 0
    assert capsys.readouterr().out.startswith("page: ")
    text = (tmp_path / "zoo.html").read_text()
    assert text.count("Accuracy against multiply-adds") == 2  # the title of a chart, for eyes and for screen readers
    assert "25,557,032" in text
    assert "138,357,544" in text
    assert text.index("resnet50") < text.index("vgg16")  # by multiply-adds
    assert "lenet5</td>" not in text
    assert main(["list", "--page", str(tmp_path / "zoo.txt")]) == 2
    assert "expected a name that ends with .html" in capsys.readouterr().err
