"""Readers of pictures with captions, and the drawn ones whose facts can be checked."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.data.captions import Captions
from netsmith.data.shape_captions import ShapeCaptions, things
from netsmith.engine.task import UNLABELED
from netsmith.layers.shape_scenes import COLORS, PLACES, SHAPES, SIZES, is_true, true_captions
from netsmith.layers.tokenize import detokenize

sys.path.insert(0, str(Path(__file__).parents[1]))
from own import COLORS as OWN
from own import picture

sys.path.pop(0)


def flickr(folder, count=12):
    (folder / "Flicker8k_Dataset").mkdir()
    lines, names = [], []
    for number in range(count):
        name = f"{number}_a.jpg"
        picture(list(OWN.values())[number % 3], seed=number).save(folder / "Flicker8k_Dataset" / name)
        names.append(name)
        lines += [f"{name}#{at}\tA {list(OWN)[number % 3]} of kind {at} ." for at in range(5 if number else 2)]
    (folder / "Flickr8k.token.txt").write_text("\n".join([*lines, "lost.jpg.1#0\tno such picture"]), encoding="utf-8")
    for split, part in (("train", names[:8]), ("dev", names[8:10]), ("test", names[10:])):
        (folder / f"Flickr_8k.{split}Images.txt").write_text("\n".join(part) + "\n")
    return folder


@pytest.fixture(scope="module")
def drawn():
    return ShapeCaptions.Config(twin=True).build()


def build(path, **changes):
    return Captions.Config(path=str(path), image_size=8, **changes).build()


def test_flickr8k_files_are_read_with_their_splits_and_all_captions(tmp_path):
    source = build(flickr(tmp_path))
    assert [(split.name, split.size, split.made) for split in source.spec.splits] == [
        ("train", 8, "given"), ("dev", 2, "given"), ("test", 2, "given"),
    ]  # fmt: skip
    assert source.captions("train", 0) == ["A cat of kind 0 .", "A cat of kind 1 ."]
    names = source.spec.outputs.names
    assert names[:3] == ("<pad>", "<unk>", "<eos>")
    assert source.spec.inputs.shape == (3, 8, 8)
    judged = source.judged("test", torch.arange(2))
    assert judged.inputs["source"].shape == (2, 3, 8, 8)
    references = judged.targets["references"]
    step = source.spec.outputs.steps[0]
    texts = [[detokenize([names[n] for n in row if n > 2], step) for row in rows] for rows in references.tolist()]
    assert texts[0] == [f"a dog of kind {at} ." for at in range(5)]
    assert (references[:, 0] == judged.targets["tokens"]).all()
    # a picture with two captions has zeros where others have more
    assert (source.judged("train", torch.arange(8)).targets["references"][0] != 0).any(1).sum() == 2


def test_lemmas_beside_the_captions_are_passed_over(tmp_path):
    flickr(tmp_path)
    (tmp_path / "Flickr8k.lemma.token.txt").write_text("0_a.jpg#0\ta cat be of kind 0 .\n")
    assert build(tmp_path).captions("train", 0) == ["A cat of kind 0 .", "A cat of kind 1 ."]
    (tmp_path / "captions.txt").write_text("image,caption\n0_a.jpg,A thing\n")
    with pytest.raises(DataError, match=r"holds Flickr8k\.token\.txt, captions\.txt; expected one of them"):
        build(tmp_path)


def test_what_is_written_is_the_target_one_place_later(drawn):
    batch = drawn.load("train", torch.arange(50), key=3)
    written, targets = batch.inputs["written"], batch.targets
    assert (written[:, 0] == 2).all()
    inside = targets != UNLABELED
    assert torch.equal(written[:, 1:][inside[:, 1:]], targets[:, :-1][inside[:, 1:]])
    assert (written[~inside] == 0).all()
    last = inside.sum(1) - 1
    assert (targets[torch.arange(50), last] == 2).all()
    assert inside[:, -1].any()  # no longer than the longest


def test_each_epoch_draws_among_all_captions(drawn):
    names, seen = drawn.spec.outputs.names, set()
    for key in range(60):
        row = drawn.load("train", torch.tensor([7]), key=key).targets[0].tolist()
        seen.add(" ".join(names[n] for n in row if n > 2))
    assert seen == set(drawn.captions("train", 7))
    assert len(seen) == 5


def test_words_below_the_count_are_unknown(tmp_path):
    source = build(flickr(tmp_path), min_count=20)
    assert set(source.spec.outputs.names[3:]) == {"a", "of", "kind", "."}
    assert int((source.judged("test", torch.arange(2)).targets["tokens"] == 1).sum()) == 4


def test_the_form_with_one_table_and_no_splits_is_divided(tmp_path):
    flickr(tmp_path)
    for file in tmp_path.glob("*.txt"):
        file.unlink()
    rows = [f'{n}_a.jpg,"A thing , number {n}"' for n in range(12)]
    (tmp_path / "captions.txt").write_text("\n".join(["image,caption", *rows]))
    source = build(tmp_path, dev=0.2, test=0.2)
    assert [split.size for split in source.spec.splits] == [8, 2, 2]
    assert {text for at in range(8) for text in source.captions("train", at)} <= {
        f"A thing , number {n}" for n in range(12)
    }


def coco(folder, **changes):
    (folder / "annotations").mkdir()
    for split, count in (("train", 6), ("val", 3)):
        (folder / f"{split}2017").mkdir()
        for number in range(count):
            picture((10 * number, 0, 0), seed=number).save(folder / f"{split}2017" / f"{number}.png")
        whole = {
            "images": [{"id": 100 + n, "file_name": f"{n}.png"} for n in range(count)],
            "annotations": [{"image_id": 100 + n % count, "caption": f"{split} {n}"} for n in range(2 * count)],
        }
        whole |= changes if split == "train" else {}
        (folder / "annotations" / f"captions_{split}2017.json").write_text(json.dumps(whole))
    return folder


def test_coco_files_are_read_and_pictures_found_in_the_folder_of_their_part(tmp_path):
    source = build(coco(tmp_path), dev=0.2)
    assert [(split.name, split.size) for split in source.spec.splits] == [("train", 5), ("dev", 1), ("test", 3)]
    assert source.captions("test", 1) == ["val 1", "val 4"]
    assert 0 < source.raw("test", torch.arange(3))[2, 0].float().mean() < 60
    (tmp_path / "annotations" / "captions_train2014.json").write_text("{}")
    with pytest.raises(
        DataError, match=r"captions_train2014\.json, annotations/captions_train2017\.json; expected one"
    ):
        build(tmp_path)


def _shortened(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: (f / "Flickr8k.token.txt").write_text("a.jpg#0\tA cat\nb.jpg A dog"), r"token.txt, row 2: exp"),
        (lambda f: (f / "Flickr8k.token.txt").write_text("0_a.jpg#0\t..."), r"token\.txt, row 1: .*no word"),
        (lambda f: (f / "Flickr8k.token.txt").write_bytes(b"0_a.jpg#0\tA\n\xff"), r"token\.txt, row 2: is not UTF-8"),
        (lambda f: (f / "Flickr8k.token.txt").write_bytes(b"0_a.jpg#0\tA\n\0"), r"token\.txt, row 2: holds a NUL"),
        (lambda f: (f / "Flickr_8k.devImages.txt").write_text("\n3_a.jpg\n"), r"devImages\.txt, row 2: .*already"),
        (lambda f: (f / "Flickr_8k.devImages.txt").write_text("none.jpg\n"), r"devImages\.txt, row 1: .*no caption"),
        (lambda f: (f / "Flickr_8k.trainImages.txt").unlink(), r"no \*\.trainImages\.txt"),
        (lambda f: (f / "Flicker8k_Dataset" / "2_a.jpg").unlink(), r"trainImages\.txt, row 3: there is no picture"),
        (lambda f: (f / "Flicker8k_Dataset" / "2_a.jpg").write_bytes(b"\xff\xd8"), r"2_a\.jpg: is not a picture"),
        (lambda f: _shortened(f / "Flicker8k_Dataset" / "2_a.jpg"), r"2_a\.jpg.*damaged"),
    ],
)  # fmt: skip
def test_bad_files_are_named_with_their_line(tmp_path, change, says):
    flickr(tmp_path)
    change(tmp_path)
    with pytest.raises(DataError) as caught:
        build(tmp_path)
    assert re.search(says, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"images": 3}, "lists images and annotations"),
        ({"images": [{"id": "1"}]}, r"images\[0\] has no whole id"),
        ({"annotations": [{"image_id": 7, "caption": "x"}]}, r"annotations\[0\] has no image_id"),
        ({"annotations": [{"image_id": 100, "caption": " ."}]}, r"annotations\[0\] has no caption with a word"),
        ({"annotations": []}, "holds no caption"),
    ],
)
def test_a_bad_entry_of_coco_is_named(tmp_path, changes, says):
    with pytest.raises(DataError) as caught:
        build(coco(tmp_path, **changes))
    assert re.search(says, str(caught.value)), str(caught.value)
    assert "captions_train2017.json" in str(caught.value)


def test_no_captions_and_no_path_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds no captions; expected Flickr8k\.token\.txt"):
        build(tmp_path)
    with pytest.raises(ConfigError, match="path is empty"):
        Captions.Config().build()
    with pytest.raises(ConfigError, match="mixup"):
        ShapeCaptions.Config(twin=True, mixup=0.2).build()


NOUN = rf"(a|two|three) ({'|'.join(SIZES)}) ({'|'.join(COLORS)}) ({'|'.join(SHAPES)})(?:s|es)?"


def holds(text, scene):
    """Check a caption by another road: search its parts with regular expressions, and count with loops."""
    rest, number = text, re.match(r"(one|two|three) shapes? , ", text)
    if number:
        if ["one", "two", "three"].index(number[1]) + 1 != len(scene):
            return False
        rest = text[number.end() :]
    rest = re.sub(r"^there (is|are) ", "", rest)
    nouns = [m.groups() for m in re.finditer(NOUN, rest)]
    fitting = [[t for t in scene if (SIZES[t.size], COLORS[t.color], SHAPES[t.shape]) == noun[1:]] for noun in nouns]
    for noun, found in zip(nouns, fitting, strict=True):
        if not found or (noun[0] != "a" and len(found) != {"two": 2, "three": 3}[noun[0]]):
            return False
    place = re.search(r" in the (\w+) (\w+)$", rest)
    if place:
        return any(PLACES[t.place] == place.groups() for t in fitting[0])
    if " and " in rest or len(nouns) == 1:
        return len({noun[1:] for noun in nouns}) == len(nouns)
    row, column = (lambda t: PLACES[t.place][0] == "lower"), (lambda t: PLACES[t.place][1] == "right")
    word = re.search(r"(left of|right of|above|below)", rest)[1]
    key = column if " of" in word else row
    return any((key(a) - key(b)) * (1 if word in ("right of", "below") else -1) > 0
               for a in fitting[0] for b in fitting[1])  # fmt: skip


def test_every_caption_is_true_of_its_scene_and_judged_alike_by_another_road(drawn):
    scenes = [drawn.scene("train", at) for at in range(120)]
    agree = []
    for at, scene in enumerate(scenes):
        for text in true_captions(scene):
            assert is_true(text, scene)
            assert holds(text, scene)
            other = scenes[(at + 1) % 120]
            agree.append((is_true(text, other), holds(text, other)))
    assert all(a == b for a, b in agree)
    assert 5 < sum(a for a, _ in agree) < 0.1 * len(agree)


def test_a_shape_has_a_place_where_only_the_test_shows_it(drawn):
    pairs = {
        split: {(t.shape, t.place) for at in range(100) for t in drawn.scene(split, at)} for split in drawn.splits()
    }
    assert len(pairs["test"]) == 16
    assert pairs["train"] == {(s, p) for s in range(4) for p in range(4) if (s + p) % 4}
    assert pairs["dev"] <= pairs["train"]


def test_boxes_hold_what_is_drawn(drawn):
    at = torch.arange(100)
    images, boxes = drawn.raw("train", at).double() / 255, drawn.boxes("train", at)
    color = (images.amax(1) - images.amin(1)) > 0.25  # the ground is gray
    inside = torch.zeros_like(color)
    for row, box in enumerate(boxes.tolist()):
        for top, left, bottom, right in box:
            if top >= 0:
                inside[row, int(top) : int(bottom) + 1, int(left) : int(right) + 1] = True
                there = color[row, int(top) : int(bottom) + 1, int(left) : int(right) + 1]
                assert there.double().mean() > 0.25
    assert not (color & ~inside).any()
    assert [len(things(row)) for row in drawn.judged("train", at).targets["scene"]] == (boxes[..., 0] >= 0).sum(
        1
    ).tolist()


def test_shuffled_pictures_are_those_of_other_scenes(drawn):
    plain, other = drawn, ShapeCaptions.Config(twin=True, shuffled=True).build()
    at = torch.arange(10)
    assert torch.equal(plain.raw("test", at), other.raw("test", at + 1))
    assert torch.equal(plain.boxes("test", at), other.boxes("test", at + 1))
    assert torch.equal(plain.boxes("test", torch.tensor([99])), other.boxes("test", torch.tensor([0])))
    assert plain.captions("test", 3) == other.captions("test", 3)
    assert plain.spec.splits[0].sha256 != other.spec.splits[0].sha256
