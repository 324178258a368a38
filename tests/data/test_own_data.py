"""One's own pictures, tables and texts: layouts, splits, coding, sniffing, the report."""

import csv
import io
import json
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Inputs, Spec
from netsmith.data import image_folder
from netsmith.data._check import check
from netsmith.data._pictures import decode_picture, read_picture
from netsmith.data._sniff import describe, sniff
from netsmith.data.image_folder import ImageFolder
from netsmith.data.table import Table
from netsmith.data.text_table import TextTable
from netsmith.layers.preprocess import Preprocess
from netsmith.layers.rows import encode_rows
from netsmith.layers.tokenize import encode


def picture(seed, *, mode="RGB", size=(10, 8), form="PNG"):
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], len(mode))
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode=None).save(buffer, form)
    return buffer.getvalue()


def write(base, files):
    for name, data in files.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return base


def folders(count=10, classes=("ant", "bee", "cat"), prefix=""):
    return {
        f"{prefix}{c}/{i}.png": picture(100 * k + i + 1000 * len(prefix))
        for k, c in enumerate(classes)
        for i in range(count)
    }


def everything(source, split):
    return source.load(split, torch.arange(source.spec.split(split).size))


def test_a_folder_per_class(tmp_path):
    write(tmp_path, folders() | {"README.txt": "hello", "ant/.DS_Store": "x", ".git/a/b.png": "x"})
    config = sniff(tmp_path)
    assert config == ImageFolder.Config(path=str(tmp_path))
    source = config.derive(image_size=8).build()
    assert describe(source) == "read as image folder: 3 classes, 30 images, split 80/10/10, seed 0"
    assert source.spec.outputs.names == ("ant", "bee", "cat")
    assert {s.name: s.size for s in source.spec.splits} == {"train": 24, "dev": 3, "test": 3}
    assert sorted(everything(source, "test").targets.tolist()) == [0, 1, 2]
    assert source.spec.inputs.shape == (3, 8, 8)
    raw = source.raw("train", torch.arange(24))
    mean = source.spec.inputs.preprocessing[-1].mean
    assert np.allclose(mean, (raw.double() / 255).mean(dim=(0, 2, 3)), atol=1e-6)
    assert Spec.load(source.spec.dump()) == source.spec
    data = (tmp_path / "ant/0.png").read_bytes()
    wanted = np.asarray(Image.open(io.BytesIO(data)).resize((8, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(read_picture(data, source.spec.inputs, name="a").permute(1, 2, 0).numpy(), wanted)


def test_reading_when_needed_equals_holding_in_memory(tmp_path, monkeypatch):
    write(tmp_path, folders())
    config = ImageFolder.Config(path=str(tmp_path), image_size=8)
    held = config.build()
    monkeypatch.setattr(image_folder, "HELD_LIMIT", 0)
    lazy = config.build()
    assert torch.equal(everything(held, "train").inputs, everything(lazy, "train").inputs)
    assert held.spec.inputs == lazy.spec.inputs


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz", "wrapped.zip"])
def test_given_splits_in_folders_and_archives(tmp_path, form):
    files = folders(6, prefix="train/") | folders(2, prefix="val/") | folders(3, prefix="test/")
    path = tmp_path / f"data.{form}"
    if form == "folder":
        write(path, files)
    elif form.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(f"pets/{name}" if form == "wrapped.zip" else name, data)
    else:
        with tarfile.open(path, "w:gz" if form == "tar.gz" else "w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(f"./{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    source = sniff(path).derive(image_size=8).build()
    assert [(s.name, s.size, s.made) for s in source.spec.splits] == [
        ("train", 18, "given"), ("dev", 6, "given"), ("test", 9, "given")
    ]  # fmt: skip
    assert describe(source).endswith("33 images, split train 18 (given), dev 6 (given), test 9 (given)")
    wanted = decode_picture(files["test/bee/1.png"], channels=3, size=(8, 8), name="x")
    assert torch.equal(source.raw("test", torch.tensor([4]))[0], wanted)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing was extracted


def test_train_and_test_folders_get_a_dev_split(tmp_path):
    write(tmp_path, folders(10, prefix="train/") | folders(3, prefix="test/"))
    source = ImageFolder.Config(path=str(tmp_path), image_size=8).build()
    assert [(s.name, s.size, s.made) for s in source.spec.splits] == [
        ("train", 27, "seeded 90/10"), ("dev", 3, "seeded 90/10"), ("test", 9, "given")
    ]  # fmt: skip


def test_metadata(tmp_path):
    files = {f"pics/{i}.jpg": picture(i, form="JPEG", mode="L") for i in range(12)}
    lines = [
        "file_name,label,split",
        *(f"pics/{i}.jpg,{'xy'[i % 2]},{'test' if i > 9 else 'train'}" for i in range(12)),
    ]
    write(tmp_path, files | {"metadata.csv": "\n".join(lines)})
    source = sniff(tmp_path).derive(image_size=8).build()
    assert source.spec.inputs.shape == (1, 8, 8)  # all are gray
    assert [(s.name, s.size) for s in source.spec.splits] == [("train", 8), ("dev", 2), ("test", 2)]
    assert everything(source, "test").targets.tolist() == [0, 1]


def test_decoding_of_unusual_pictures():
    def saved(image, form="PNG", **options):
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        return buffer.getvalue()

    def decoded(data, channels=1):
        return decode_picture(data, channels=channels, size=(2, 2), name="x")

    deep = Image.fromarray(np.full((2, 2), 0x8001, dtype=np.uint16))
    assert decoded(saved(deep)).unique().tolist() == [0x80]
    clear = Image.fromarray(np.array([[[9, 9, 9, 0]] * 2] * 2, dtype=np.uint8))
    assert decoded(saved(clear), 3).unique().tolist() == [255]  # transparent is white
    turned = Image.fromarray(np.array([[0, 0], [255, 255]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    assert decoded(saved(turned, exif=exif)).tolist() == [[[255, 255], [0, 0]]]
    digits = Inputs(kind="image", shape=(1, 2, 2), dtype="uint8", low=0.0, high=16.0)
    assert read_picture(saved(turned), digits, name="x").tolist() == [[[0, 0], [16, 16]]]
    with pytest.raises(DataError, match="the schema wants -1 to 1"):
        read_picture(saved(turned), digits.derive(low=-1.0, high=1.0), name="x")


def test_every_change_of_a_picture_is_told():
    def told(image, form="PNG", *, channels=3, size=(2, 2), **options):
        buffer, found = io.BytesIO(), []
        image.save(buffer, form, **options)
        decode_picture(buffer.getvalue(), channels=channels, size=size, name="x", told=lambda *one: found.append(one))
        assert {name for _, name in found} <= {"x"}
        return [change for change, _ in found]

    color, gray = Image.new("RGB", (2, 2)), Image.new("L", (2, 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert told(color) == told(gray, channels=1) == told(Image.new("P", (2, 2))) == []
    assert told(color, exif=exif) == ["turned as its EXIF says"]
    assert told(color, size=(3, 4)) == ["resized to 4 x 3 pixels"]
    assert told(color, channels=1) == ["taken from color to gray"]
    assert told(gray) == ["taken from gray to RGB"]
    assert told(Image.new("CMYK", (2, 2)), "TIFF") == ["taken from CMYK to RGB"]
    assert told(Image.new("LA", (2, 2)), channels=1) == ["put on white where it is transparent"]
    assert told(Image.new("LA", (2, 2)))[1:] == ["taken from gray to RGB"]
    assert told(Image.new("RGBA", (2, 2))) == ["put on white where it is transparent"]
    deep = Image.fromarray(np.zeros((2, 2), dtype=np.uint16))
    assert told(deep, channels=1) == ["cut to the upper 8 of its 16 bits"]
    frames = [Image.new("RGB", (2, 2), color) for color in ("red", "blue")]
    assert told(frames[0], "GIF", save_all=True, append_images=frames[1:]) == ["read at its first frame alone"]


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pictures_of_32_bits_are_refused(mode):
    buffer = io.BytesIO()
    Image.new(mode, (2, 2), 200).save(buffer, "TIFF")
    with pytest.raises(DataError, match=r"x: holds .*; expected 8 or 16 bits per channel"):
        decode_picture(buffer.getvalue(), channels=1, size=None, name="x")


ROWS = [
    {
        "id": i,
        "age": 20 + i % 7,
        "color": ("red", "blue")[i % 2],
        "height": 1.5 + i / 100,
        "label": ("no", "yes")[i % 3 > 1],
    }
    for i in range(40)
]


def save_rows(path, rows=ROWS):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter={".tsv": "\t"}.get(path.suffix, ";"))
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_tables_of_every_format_are_equal(tmp_path, suffix):
    config = sniff(save_rows(tmp_path / f"people.{suffix}"))
    assert config == Table.Config(path=str(tmp_path / f"people.{suffix}"), target="label")
    source = config.derive(drop=("id",)).build()
    assert describe(source) == "read as table: 2 classes, 40 rows, 3 columns, split 80/10/10, seed 0"
    spec = source.spec
    assert (spec.inputs.columns, spec.inputs.categories) == (("age", "color", "height"), ((), ("blue", "red"), ()))
    assert spec.inputs.shape == (4,)
    assert spec.outputs.names == ("no", "yes")
    train = everything(source, "train")
    assert abs(train.inputs[:, [0, 3]].mean()) < 1e-6
    assert train.inputs[:, 0].std(correction=0) == pytest.approx(1)
    assert torch.equal(train.inputs[:, 1:3].sum(1), torch.ones(len(train)))
    rows = [{name: row[name] for name in spec.inputs.columns} for row in ROWS]
    labels = torch.tensor([spec.outputs.names.index(row["label"]) for row in ROWS])
    both = torch.cat([Preprocess(spec.inputs)(encode_rows(rows, spec.inputs)), labels[:, None]], dim=1)
    read = [torch.cat([b.inputs, b.targets[:, None]], dim=1) for b in (everything(source, s.name) for s in spec.splits)]
    order = lambda t: sorted(t.tolist())  # noqa: E731
    assert order(torch.cat(read)) == order(both)


def test_columns_may_be_scaled_to_their_bounds(tmp_path):
    path = str(save_rows(tmp_path / "people.csv"))
    source = Table.Config(path=path, target="label", drop=("id",), scaling="min_max").build()
    numbers = everything(source, "train").inputs[:, [0, 3]]
    assert (numbers.amin(0).tolist(), numbers.amax(0).tolist()) == ([0.0, 0.0], [1.0, 1.0])
    plain = Table.Config(path=path, target="label", drop=("id",)).build()
    other = everything(plain, "train").inputs[:, [0, 3]]
    by = other - other.amin(0)  # the same numbers, by another line
    assert torch.allclose(numbers, by / by.amax(0), atol=1e-6)
    with pytest.raises(ConfigError, match="keeps no mean to take for a missing number"):
        Table.Config(path=path, scaling="min_max", missing="mean")


def test_the_target_decides_the_problem(tmp_path):
    def outputs(values, **fields):
        rows = [{"x": i, "y": value} for i, value in enumerate(values)]
        return Table.Config(path=str(save_rows(tmp_path / "t.csv", rows)), **fields).build().spec.outputs

    assert outputs([2, 10, 1] * 5).names == ("1", "2", "10")
    assert outputs(["1.0", "0", "1"] * 5).names == ("0", "1")
    assert outputs(range(30)).kind == "values"
    assert outputs([0.5, 1.5] * 10).kind == "values"
    assert outputs([0.5, 1.5] * 10, problem="classes").names == ("0.5", "1.5")
    assert outputs([1, 2] * 10, problem="values").names == ("y",)
    source = Table.Config(path=str(tmp_path / "t.csv"), problem="values").build()
    batch = everything(source, "train")
    assert batch.targets.shape == (len(batch), 1)
    assert batch.targets.dtype == torch.float32
    assert describe(source).startswith("read as table: target 'y' (a value), 20 rows, 1 column,")


def test_missing_numbers_and_unseen_categories(tmp_path):
    rows = [{"x": "" if i == 5 else i % 4, "c": "rare" if i == 39 else "often", "y": i % 2} for i in range(40)]
    path = save_rows(tmp_path / "t.csv", rows)
    with pytest.raises(DataError, match=r"t.csv, row 7: column 'x' holds '', which is empty"):
        Table.Config(path=str(path)).build()
    source = Table.Config(path=str(path), missing="mean").build()
    inputs = torch.cat([everything(source, s.name).inputs for s in source.spec.splits])
    assert not inputs.isnan().any()
    assert (inputs[:, 0] == 0).sum() >= 1
    save_rows(tmp_path / "train.csv", rows[6:39])
    save_rows(tmp_path / "test.csv", rows[39:])
    given = Table.Config(path=str(tmp_path), dev=0.0).build()
    assert everything(given, "test").inputs[0, 1:].tolist() == [0.0]  # "rare" was never seen
    assert [(s.name, s.size) for s in given.spec.splits] == [("train", 33), ("test", 1)]


TEXTS = [{"text": f"the {'good' if i % 2 else 'bad'} film number {i}", "label": "np"[i % 2]} for i in range(40)]


def test_texts(tmp_path):
    path = save_rows(tmp_path / "films.jsonl", TEXTS)
    config = sniff(path)
    assert config == TextTable.Config(path=str(path), target="label", text="text")
    source = config.derive(max_length=6).build()
    assert describe(source) == "read as text table: 2 classes, 40 texts, split 80/10/10, seed 0"
    inputs = source.spec.inputs
    assert inputs.vocabulary[:5] == ("<pad>", "<unk>", "film", "number", "the")
    assert inputs.shape == (6,)
    train = everything(source, "train")
    assert train.inputs.shape == (32, 6)
    assert train.inputs.dtype == torch.int64
    assert torch.equal(train.inputs[3:5], encode(source.texts("train", torch.tensor([3, 4])), inputs))
    test = everything(source, "test")
    assert (test.inputs[:, 4] == 1).all()  # their numbers are in no training text
    assert (test.inputs[:, 5] == 0).all()


@pytest.mark.parametrize("config", [Table.Config(twin=True), TextTable.Config(twin=True)], ids=lambda c: c.kind_name())
def test_twins_need_more_than_a_linear_model(config):
    source = config.build()
    train, test = everything(source, "train"), everything(source, "test")

    def counts(batch):
        if source.spec.inputs.kind == "table":
            return batch.inputs
        return torch.stack([torch.bincount(row, minlength=len(source.spec.inputs.vocabulary)) for row in batch.inputs])

    a, b = counts(train).double().numpy(), counts(test).double().numpy()
    linear = LogisticRegression(C=0.1, max_iter=2000).fit(a, train.targets.numpy())
    assert linear.score(b, test.targets.numpy()) <= 0.70
    if source.spec.inputs.kind == "table":
        rule = (test.inputs[:, 0] * test.inputs[:, 1] > 0).long()
        assert float((rule == test.targets).double().mean()) >= 0.95  # classes: opposite, same
    else:
        known = source.spec.inputs.vocabulary
        firsts = {known.index(word) for word in ("calm", "wild", "quiet")}
        seconds = {known.index(word) for word in ("sea", "wood", "hill")}
        turned = []
        for row in test.inputs.tolist():
            places = [[at for at, token in enumerate(row) if token in words] for words in (firsts, seconds)]
            turned.append(int(places[0][0] > places[1][0]))
        assert test.targets.tolist() == turned  # classes: plain, turned


def test_a_path_is_needed():
    for config in (ImageFolder.Config(), Table.Config(), TextTable.Config()):
        with pytest.raises(ConfigError, match=r"Config.path is empty; expected"):
            config.build()


def test_check_counts_and_finds_duplicates_and_unreadable_files(tmp_path):
    files = folders(6, prefix="train/") | folders(2, prefix="test/")
    files["test/ant/again.png"] = files["train/ant/0.png"]
    files["train/bee/extra.png"] = picture(999)
    good = check(write(tmp_path / "good", files))
    assert good["splits"]["train"]["classes"] == {"ant": 5, "bee": 6, "cat": 5}
    assert good["imbalance"] == 1.2
    assert good["num_duplicates"] == 1
    assert not good["ok"]
    names = {(d["split"], d["example"]) for d in good["duplicates"][0]}
    assert ("test", "test/ant/again.png") in names
    assert any(name == "train/ant/0.png" for _, name in names)
    files["train/cat/5.png"] = files["train/cat/5.png"][:90]
    bad = check(write(tmp_path / "bad", files))
    assert [entry["file"] for entry in bad["unreadable"]] == ["train/cat/5.png"]
    assert bad["read_as"] == ""
    assert "damaged" in bad["unreadable"][0]["problem"]
    json.dumps(bad, allow_nan=False)


def test_check_of_running_text(tmp_path):
    path = tmp_path / "my.txt"
    path.write_text("The cat is old, isn't it?\n" * 300)
    good = check(path)
    assert good["ok"]
    assert good["kind"] == "text_file"
    assert good["read_as"].startswith("read as text file: 13 known to be read")
    path.write_bytes(path.read_bytes() + b"caf\xe9\n")
    assert check(path)["problems"] == ["my.txt, row 301: holds the byte 0xe9, not UTF-8; save it as UTF-8"]
    path.write_text("short")
    assert "too few lines" in check(path)["problems"][0]


def test_check_of_tables(tmp_path):
    report = check(save_rows(tmp_path / "t.csv"))
    assert report["ok"]
    assert report["imbalance"] == pytest.approx(2.2, abs=0.4)
    assert report["read_as"].startswith("read as table: 2 classes, 40 rows, 4 columns")
    same = [{"x": 1, "y": i % 2} for i in range(30)]
    assert check(save_rows(tmp_path / "same.csv", same))["num_duplicates"] == 2
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")
    assert check(tmp_path / "ragged.csv")["problems"] == ["ragged.csv, row 3: has 1 values; the header has 2 columns"]
    texts = check(save_rows(tmp_path / "films.jsonl", TEXTS))
    assert texts["ok"]
    assert texts["kind"] == "text_table"
