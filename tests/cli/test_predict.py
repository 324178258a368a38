"""Every verb that needs the run folder alone: the runs' data is gone."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from own import COLORS, picture, write_table

GOOD = b'{"height": 1.5, "weight": 0, "color": "red"}\n'


def predicted(result):
    assert result.code == 0, result.err
    return [line.split("\t") for line in result.out.splitlines()]


# -- pictures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "new"
    (folder / "deep").mkdir(parents=True)
    for number, (label, color) in enumerate(COLORS.items()):
        picture(color, seed=99).save(folder / ("deep" if number else ".") / f"{label}.png")
    (folder / "readme.txt").write_text("no picture")
    return folder


def test_a_picture_a_folder_and_a_pipe_agree(netsmith, runs, pictures):
    rows = predicted(netsmith(f"predict {runs}/image new"))
    assert [row[0] for row in rows] == ["cat.png", "deep/dog.png", "deep/owl.png"]
    one = predicted(netsmith(f"predict {runs}/image new/cat.png"))
    assert one == [rows[0]]
    piped = predicted(netsmith(f"predict {runs}/image", stdin=(pictures / "cat.png").read_bytes()))
    assert piped == [["stdin", *one[0][1:]]]
    found = json.loads(netsmith(f"predict {runs}/image new/cat.png --json").out)
    assert found[0]["label"] == rows[0][1]
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1, abs=1e-9)
    assert f"{max(found[0]['probabilities'].values()):.4f}" == rows[0][2]


def test_gray_wide_and_palette_pictures_are_brought_to_the_schema(netsmith, runs):
    Image.new("L", (300, 7), 90).save("gray.png")
    Image.new("P", (5, 5)).save("palette.gif")
    Image.new("RGBA", (9, 9), (1, 2, 3, 0)).save("clear.png")
    found = netsmith(f"predict {runs}/image .")
    assert len(predicted(found)) == 3
    assert found.err.splitlines() == [  # one line of each kind
        "clear.png is put on white where it is transparent (told once for all such pictures)",
        "clear.png is resized to 16 x 16 pixels (told once for all such pictures)",
        "gray.png is taken from gray to RGB (told once for all such pictures)",
    ]
    told = netsmith(f"explain {runs}/image --input gray.png --method saliency").err
    assert "gray.png is resized to 16 x 16 pixels" in told


def test_hidden_files_are_no_pictures(netsmith, runs, pictures):
    (pictures / "._cat.png").write_bytes(b"of the system, no picture")
    (pictures / ".hidden").mkdir()
    for name in (".b.png", ".hidden/c.png"):
        (pictures / name).write_bytes((pictures / "cat.png").read_bytes())
    Path(".all").symlink_to("new")  # the folder that was asked for may be hidden
    for folder in ("new", ".all"):
        rows = predicted(netsmith(f"predict {runs}/image {folder}"))
        assert [row[0] for row in rows] == ["cat.png", "deep/dog.png", "deep/owl.png"]


def test_a_picture_that_is_none_is_named_by_its_whole_path(netsmith, runs, pictures):
    (pictures / "deep/bad.png").write_bytes(b"MZ")
    for given in ("new", "new/deep/bad.png"):
        assert netsmith(f"predict {runs}/image {given}").line.startswith("new/deep/bad.png: is not a picture")


def test_pictures_as_numbers(netsmith, runs):
    image = np.zeros((3, 16, 16), int).tolist()
    assert predicted(netsmith(f"predict {runs}/image -", stdin=json.dumps(image).encode()))[0][0] == "row 1"
    assert predicted(netsmith(f"predict {runs}/image", stdin=json.dumps({"inputs": image}).encode()))
    Path("all.json").write_text(json.dumps([image, image]))
    assert len(predicted(netsmith(f"predict {runs}/image all.json"))) == 2


def test_a_pipe_is_read_as_a_file_is(netsmith, runs):
    image, dark = np.zeros((3, 16, 16), int).tolist(), np.ones((3, 16, 16), int).tolist()
    documents = {
        "image": [[image, dark], image, [{"inputs": image}], {"inputs": image}],
        "table": [[[1.5, 0, 1], [2, 1, 0]], [1.5, 0, 1], [json.loads(GOOD)], json.loads(GOOD)],
        "twin": [np.zeros((8, 8)).tolist(), np.zeros((1, 8, 8)).tolist(), np.zeros((2, 1, 8, 8)).tolist()],
        "text": [["sun warm", "snow"], [{"text": "sun"}]],
    }
    for run, values in documents.items():
        for value in values:
            for indent in (None, 1):
                text = json.dumps(value, indent=indent)
                Path("all.json").write_text(text)
                rows = predicted(netsmith(f"predict {runs}/{run} all.json"))
                assert predicted(netsmith(f"predict {runs}/{run} -", stdin=text.encode())) == rows, (run, text[:60])
    assert [row[0] for row in rows] == ["row 1"]
    assert len(predicted(netsmith(f"predict {runs}/image", stdin=json.dumps([image, dark]).encode()))) == 2
    lines = f"{json.dumps(image)}\n{json.dumps(dark)}\n".encode()
    assert len(predicted(netsmith(f"predict {runs}/image", stdin=lines))) == 2


@pytest.mark.parametrize(
    ("stdin", "read"),
    [
        (b"[[1, 2], [3, 4]]", "got (2, 2) (stdin, read as one JSON list of 2 examples)"),
        (b"[1, 2]\n[3, 4]\n", "got (2, 2) (stdin, read as 2 lines of JSON, an example each)"),
        (b"[[1, 2], [3]]", "(stdin, read as one JSON list of 2 examples)"),
    ],
)
def test_what_was_read_from_a_pipe_is_told(netsmith, runs, stdin, read):
    assert read in netsmith(f"predict {runs}/table", stdin=stdin).line


# -- tables and texts -------------------------------------------------------------------------------------------------


def test_every_form_of_a_row_gets_the_same_answer(netsmith, runs):
    write_table(Path("t.csv"), ["height", "weight", "color"], [[1.5, 0, "red"]])
    Path("t.tsv").write_text("color\tweight\theight\nred\t0\t1.5\n")
    Path("semicolon.csv").write_text("color;weight;height;label\n\nred;0;1.5;a\n")
    Path("t.jsonl").write_bytes(GOOD)
    Path("t.json").write_bytes(b"[" + GOOD.strip() + b"]")
    answers = [predicted(netsmith(f"predict {runs}/table {name}"))[0] for name in
               ("t.csv", "t.tsv", "semicolon.csv", "t.jsonl", "t.json")]  # fmt: skip
    answers.append(predicted(netsmith(f"predict {runs}/table", stdin=GOOD))[0])
    answers.append(predicted(netsmith(f"predict {runs}/table -", stdin=b"height,weight,color\n1.5,0,red\n"))[0])
    answers.append(predicted(netsmith(f"predict {runs}/table", stdin=b"[1.5, 0, 1]\n"))[0])
    assert len({tuple(answer[1:]) for answer in answers}) == 1
    assert [answer[0] for answer in answers] == ["row 2", "row 2", "row 3", "row 1", "row 1", "row 1", "row 2", "row 1"]


def test_a_parquet_table(netsmith, runs):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    parquet.write_table(pyarrow.table({"height": [1.5, 2], "weight": [0, 1], "color": ["red", "blue"]}), "t.parquet")
    assert len(predicted(netsmith(f"predict {runs}/table t.parquet"))) == 2


def test_an_empty_number_follows_the_runs_own_policy(netsmith, runs):
    write_table(Path("t.csv"), ["height", "weight", "color"], [[1.5, "", "red"]])
    line = netsmith(f"predict {runs}/table t.csv").line
    assert line.startswith("t.csv, row 2: column 'weight' holds '', which is empty")
    assert len(predicted(netsmith(f"predict {runs}/mean t.csv"))) == 1


def test_texts(netsmith, runs):
    Path("t.txt").write_text('sun warm beach\n\n"quoted {text}\n', encoding="utf-8-sig")
    assert [row[0] for row in predicted(netsmith(f"predict {runs}/text t.txt"))] == ["row 1", "row 3"]
    write_table(Path("t.csv"), ["text"], [["sun,\nwarm"], ["snow\u2028ice"]])
    assert [row[0] for row in predicted(netsmith(f"predict {runs}/text t.csv"))] == ["row 2", "row 4"]
    lines = b'{"text": "sun warm"}\n"snow"\n'
    assert len(predicted(netsmith(f"predict {runs}/text", stdin=lines))) == 2
    assert len(predicted(netsmith(f"predict {runs}/text", stdin="grey Straße\n[wet]".encode()))) == 2


def test_texts_of_other_encodings(netsmith, runs):
    Path("t.txt").write_bytes("sun warm\ncaf\u00e9\n".encode("cp1252"))
    line = netsmith(f"predict {runs}/text t.txt").line
    assert line == "t.txt, row 2: is not utf-8 text (byte 13); save it as UTF-8, or say --encoding cp1252 or gb18030"
    assert len(predicted(netsmith(f"predict {runs}/text t.txt --encoding cp1252"))) == 2
    Path("t.txt").write_bytes("sun warm".encode("utf-16"))
    hint = "it begins as UTF-16 does: save it as UTF-8"
    assert (
        f"row 1: is not utf-8 text (byte 1); {hint}, or say --encoding utf-16"
        in netsmith(f"predict {runs}/text t.txt").line
    )
    assert netsmith(f"explain {runs}/text --input t.txt").line.endswith(hint)
    assert len(predicted(netsmith(f"predict {runs}/text t.txt --encoding utf-16"))) == 1
    assert "--encoding is for texts" in netsmith(f"predict {runs}/table t.csv --encoding gbk").line
    assert "no encoding of texts is named 'klingon'" in netsmith(f"predict {runs}/text t.txt --encoding klingon").line


def test_sentences_of_a_file_in_columns_are_texts(netsmith, runs):
    Path("t.conll").write_text("-DOCSTART- O\n\nsun B-X\nwarm O\n\nsnow O\n")
    rows = predicted(netsmith(f"predict {runs}/text t.conll"))
    assert [row[0] for row in rows] == ["row 3", "row 6"]
    assert [row[1:] for row in rows] == [row[1:] for row in predicted(
        netsmith(f"predict {runs}/text -", stdin=b"sun warm\nsnow\n"))]  # fmt: skip


def test_an_intent_stands_before_its_slots(netsmith, runs, monkeypatch):
    rows = [{"intent": "flight", "spans": [{"kind": "to", "text": "Boston"}]}, {"intent": "fare", "spans": []}]
    monkeypatch.setattr("netsmith.api.run.Run.predict", lambda *_: rows)
    found = predicted(netsmith(f"predict {runs}/text", stdin=b"to Boston\nhow much\n"))
    assert found == [["row 1", "flight", "to: Boston"], ["row 2", "fare", "no name"]]


def test_values_are_named(netsmith, runs):
    row = predicted(netsmith(f"predict {runs}/values", stdin=b'{"a": 1, "b": 2}'))[0]
    assert row[0] == "row 1"
    assert row[1].startswith("y=")


def test_names_cannot_command_the_terminal(netsmith, runs):
    Image.new("RGB", (4, 4)).save("\x1b]0;owned\x07.png")
    assert "\x1b" not in netsmith(f"predict {runs}/image .").out


def test_an_unfinished_run_says_so(netsmith, runs, tmp_path):
    import shutil

    shutil.copytree(runs / "twin", "half")
    Path("half/evaluation.json").unlink()
    found = netsmith("predict half", stdin=json.dumps(np.zeros((1, 8, 8)).tolist()).encode())
    assert found.code == 0
    assert "half is not finished; using its checkpoint of step 4" in found.err
    shutil.rmtree("half/checkpoints")
    assert netsmith("predict half", stdin=b"[]").line == "half has no checkpoint yet; learn first: netsmith resume half"


def test_pillow_missing_gives_the_line_that_mends_it(netsmith, runs, pictures, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    found = netsmith(f"predict {runs}/image new/cat.png")
    assert found.code == 3
    assert found.line.endswith("is not installed; mend it with: pip install 'netsmith[data]'")


# -- what does not fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "name", "content", "message"),
    [
        ("image", "cut.png", b"\x89PNG\r\n\x1a\n1234", "cut.png: is "),
        ("image", "empty.png", b"", "empty.png: is empty; expected a picture"),
        ("image", "fake.png", b"MZ no picture", "fake.png: is not a picture; expected one of PNG"),
        ("image", "t.csv", b"a,b\n1,2\n", "t.csv, row 1: has 2 columns; expected 768 columns, a number each"),
        ("image", "t.txt", b"hello\n", "t.txt, row 1: is not JSON"),
        ("image", "t.jsonl", b"[[1, 2]]\n", "expected inputs of shape (batch, 3, 16, 16)"),
        ("image", "t.jsonl", b'{"a": 1}\n', "t.jsonl, row 1: has no key 'text' or 'inputs'"),
        ("image", "deep.json", b"[" * 9000 + b"]" * 9000, "deep.json: is not JSON: nested too deeply"),
        ("table", "t.csv", b"height,weight\n1,2\n", "t.csv, row 2: has no column 'color'"),
        ("table", "t.csv", b"height,wieght,color\n1,2,red\n", "t.csv, row 2: has no column 'weight'"),
        ("table", "t.csv", b"height,weight,color\n1,2\n", "t.csv, row 2: has 2 values; the header has 3 columns"),
        ("table", "t.csv", b"height,weight,color\n1,x,red\n", "t.csv, row 2: column 'weight' holds 'x'"),
        (
            "table",
            "t.csv",
            b"height,weight,color\n1,inf,red\n",
            "row 2: column 'weight' holds 'inf', expected a finite",
        ),
        ("table", "t.csv", b"height,weight,color\n", "t.csv: has a header but no rows"),
        ("table", "t.csv", b"", "t.csv: is empty"),
        ("table", "t.csv", b"\xff\xfeh\0", "t.csv, row 1: is not UTF-8 text (byte 1)"),
        ("table", "t.jsonl", GOOD + b"{", "t.jsonl, row 2: is not JSON"),
        (
            "table",
            "t.jsonl",
            GOOD + GOOD.replace(b"1.5", b"NaN"),
            "t.jsonl, row 2: is not JSON: NaN is not a JSON number",
        ),
        ("table", "t.jsonl", GOOD + b'{"height": 1}\n', "t.jsonl, row 2: column 'weight' holds None, which is empty"),
        ("table", "t.json", b"[[1, 2, 7]]", "column 'color' holds texts; expected a position from 0 to 1, or its text"),
        ("table", "t.json", b"[[1, null, 1]]", "input 1 holds NaN or infinity"),
        ("table", "t.json", b"[[1, 2], [1]]", "expected table inputs as numbers of one shape"),
        ("table", "t.png", b"x", "t.png: is a picture; this network takes table inputs"),
        ("text", "t.csv", b"a,b\nx,y\n", "t.csv, row 1: has the columns 'a', 'b'; expected one named 'text'"),
        ("text", "t.csv", b"text,b\n,y\n", "t.csv, row 2: the column 'text' holds '', no text"),
        ("text", "t.jsonl", b"1\n", "t.jsonl, row 1: holds int; expected a text"),
        ("text", "t.txt", b"\n \n", "t.txt: is empty; expected examples"),
        ("values", "t.csv", b"a\n1\n", "has no column 'b'"),
    ],
)
def test_wrong_input_is_one_line(netsmith, runs, run, name, content, message):
    Path(name).write_bytes(content)
    found = netsmith(f"predict {runs}/{run} {name}")
    assert (found.code, found.out) == (2, "")
    assert message in found.line
    assert len(found.line) <= 240


@pytest.mark.parametrize(
    ("command", "stdin", "message"),
    [
        ("predict {runs}/image nope.png", b"", "nope.png: does not exist"),
        ("predict {runs}/image .", b"", "holds no pictures"),
        ("predict {runs}/table .", b"", "is a folder; this network takes table inputs: give a file"),
        ("predict {runs}/table", b"", "stdin: is empty; expected examples"),
        ("predict {runs}/table", b"\x80\x81", "stdin, row 1: is not UTF-8 text (byte 1)"),
        ("predict {runs}/image", b"\x80\x81", "stdin: is not a picture"),
        ("predict {runs}/table --seed 1", b"", "--seed is for generators; table takes table inputs"),
        ("predict {runs}/table --count 2", b"", "--count is for generators"),
        ("predict {runs}/tabel t.csv", b"", "is not a run folder: it does not exist; in "),
        ("predict . t.csv", b"", "is not a run folder: it has no experiment.json"),
        ("predict {runs}/twin/experiment.json t.csv", b"", "it is a file; give the folder: {runs}/twin"),
        ("predict {runs}/tabel t.csv", b"", "there are the runs: table, "),
        ("predict {runs}/table --code x.py", b"", "--code belongs to a run that was made from your own file"),
        ("evaluate {runs}/twin --split tset", b"", "the data has no split 'tset'; did you mean 'test'?"),
        ("evaluate {runs}/table", b"", "needs its data for this, and it is not at hand (table.csv: does not exist)"),
        ("explain {runs}/image", b"", "predict, export and serve, and explain and similarity with --input, work"),
        ("explain {runs}/image --method nope", b"", "no explanation named 'nope'"),
        ("explain {runs}/values", b"", "explain works on classes"),
        ("explain {runs}/table --input nope.csv", b"", "nope.csv: does not exist"),
        ("resume {runs}/twin", b"", "is finished; there is nothing to resume"),
        ("resume nope", b"", "nope is not a run folder"),
        ("compare {runs}/twin nope", b"", "nope is not a run folder"),
        ("report nope", b"", "nope is not a run folder"),
        ("data check nope", b"", ""),
    ],
)  # fmt: skip
def test_wrong_commands_are_one_line(netsmith, runs, command, stdin, message):
    found = netsmith(command.format(runs=runs), stdin=stdin)
    assert found.code == 2
    if message:
        assert message.format(runs=runs) in found.line
    else:
        assert "problem: nope: does not exist" in found.out


# -- the other verbs, without the data --------------------------------------------------------------------------------


def test_evaluate_compare_and_report_tell_the_same_figures(netsmith, runs):
    figures = json.loads(netsmith(f"evaluate {runs}/twin --json").out)
    saved = json.loads((runs / "twin/evaluation.json").read_text())["figures"]
    assert figures == {name: saved[name] for name in ("test/accuracy", "test/loss")}
    assert f"{figures['test/loss']:.4f}" in netsmith(f"evaluate {runs}/twin --split test").out
    compared = json.loads(netsmith(f"compare {runs}/twin {runs}/table --json").out)
    assert compared["runs"][0] | {"figures": 0} == {
        "run": "twin", "figures": 0, "parameters": 4810, "bytes": 4 * 4810, "macs": 4736,
    }  # fmt: skip
    assert compared["differs"]["data.kind"] == ["digits", "table"]
    out = netsmith(f"compare {runs}/twin {runs}/table").out
    assert "multiply-adds" in out
    assert "data.kind" in out


def test_explain_and_report_without_the_data(netsmith, runs, pictures):
    code, out, _ = netsmith(f"explain {runs}/image --input new/cat.png --method saliency --count 1")
    assert code == 0
    assert (runs / "image/explain/explain.html").is_file()
    assert out.endswith("explain.html\n")
    write_table(Path("t.csv"), ["height", "weight", "color"], [[1.5, 0, "red"]])
    assert "row 2: " in netsmith(f"explain {runs}/table --input t.csv").out
    Path("t.txt").write_text("sun warm\n")
    assert "sun" in netsmith(f"explain {runs}/text --input t.txt").out
    for name in ("image", "values"):
        code, out, _ = netsmith(f"report {runs}/{name}")
        assert code == 0
        assert Path(out.removeprefix("page: ").strip()) == runs / name / "report.html"
    assert "the data is not at hand" in (runs / "image/report.html").read_text()


def test_export_without_the_data(netsmith, runs):
    code, out, _ = netsmith(f"export {runs}/table -o out/table.onnx")
    assert code == 0
    assert "proof: answers differ by at most" in out
    assert "file: out/table.onnx (" in out
    assert Path("out/table.onnx").is_file()


def test_data_check(netsmith, tmp_path):
    from own import write_own_data

    data = write_own_data(tmp_path / "d")
    code, out, _ = netsmith("data check d/table.csv")
    assert code == 0
    assert out.splitlines()[0] == "read as table: 2 classes, 60 rows, 3 columns, split 80/10/10, seed 0"
    assert out.splitlines()[-1] == "ok"
    (data / "pictures/cat/bad.png").write_bytes(b"no picture")
    code, out, _ = netsmith("data check d/pictures")
    assert code == 2
    assert "unreadable: cat/bad.png: is not a picture" in out
    found = json.loads(netsmith("data check d/pictures --json").out)
    assert (found["ok"], len(found["unreadable"])) == (False, 1)
    assert netsmith("data check d/table.csv --target color").out.count("blue") == 1
    assert "has no column 'colour'; did you mean 'color'?" in netsmith("data check d/table.csv --target colour").out
