import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def twin(runs):
    return shutil.copytree(runs / "twin", Path("twin"))


def write_matrix(name, size=10):
    rows = [[abs(row - column) for column in range(size)] for row in range(size)]
    Path(name).write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")


def test_layers_are_compared_with_a_run_and_with_matrices(netsmith, twin):
    found = json.loads(netsmith(f"similarity {twin} {twin} --json").out)
    assert found["rows"] == found["columns"]
    for table in (found["rsa"], found["cka"]):
        assert [row[at] for at, row in enumerate(table)] == pytest.approx([1] * len(found["rows"]))
    assert Path(found["page"]).is_file()
    write_matrix("brain.csv")
    printed = netsmith(f"similarity {twin} --matrix brain.csv")
    assert printed.code == 0, printed.err
    assert printed.out.startswith("brain: most like ")
    assert "Kendall tau_A" in printed.out
    assert "page: twin/similarity/similarity.html" in printed.out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("", "expected one thing to compare with: another run, or --matrix FILE (or FOLDER, one per subject); got nei"),
        (
            "twin --matrix brain.csv",
            "expected one thing to compare with: another run, or --matrix FILE (or FOLDER, one",
        ),
        ("twin --input x.csv", "x.csv: "),
        ("twin --draws 50", "--draws is for given matrices: two runs are compared without a test; leave it out"),
        ("twin --method tau", "method is 'tau'; expected 'spearman' or 'tau_a'"),
        ("--matrix none.csv", "none.csv: "),
        (
            "--matrix small.csv",
            "the matrices have 4 conditions, twin has 10 classes; give the examples that the rows stand",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(netsmith, twin, more, message):
    write_matrix("brain.csv")
    write_matrix("small.csv", 4)
    found = netsmith(f"similarity {twin} {more}")
    assert found.code == 2
    assert message in found.line


def test_curves_of_runs_are_drawn_over_each_other(netsmith, twin):
    shutil.copytree(twin, Path("other"))
    found = netsmith(f"compare {twin} other --page pages/both.html")
    assert found.code == 0, found.err
    assert found.out.rstrip().endswith("page: pages/both.html")
    text = Path("pages/both.html").read_text()
    assert "Learning curves" in text
    assert text.count("<polyline") >= 4  # of both runs, at least a loss and an accuracy
    assert json.loads(netsmith(f"compare {twin} other --page both.html --json").out)["page"] == "both.html"
    assert "expected a name that ends with .html" in netsmith(f"compare {twin} other --page both.png").line
    assert "6 runs on one page; expected at most 5" in netsmith(f"compare {' '.join(['twin'] * 6)} --page x.html").line
