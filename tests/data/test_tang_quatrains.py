"""Tang quatrains: what is read of the files, the splits, and rhyme classes against planted ones and real poems."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from netsmith.core.errors import DataError
from netsmith.data import tang_quatrains
from netsmith.data._rhymes import _communities, rhyme_classes
from netsmith.data.tang_quatrains import TangQuatrains, _divided, _official, _stanzas, poems_of

GIVEN = Path(os.environ.get("NETSMITH_DATA", "nowhere"))
real = pytest.mark.skipif(not (GIVEN / "chinese-poetry").is_dir(), reason="chinese-poetry is not in $NETSMITH_DATA")


def filed(*poems):
    return json.dumps([{"paragraphs": list(poem)} for poem in poems], ensure_ascii=False).encode()


def test_poems_of_another_form_are_passed_over():
    good = ["床前明月光，疑是地上霜。", "舉頭望明月，低頭思故鄉。"]
    content = filed(
        good,
        good[:1],  # two lines
        ["床前明月，疑是地上。", "舉頭望明，低頭思故。"],  # of four characters
        ["床前明月光，疑是地上霜。", "舉頭望明月，低頭思故鄉啊啊。"],  # uneven
        ["床前□月光，疑是地上霜。", "舉頭望明月，低頭思故鄉。"],  # a lacuna
    )
    assert poems_of(content, "f") == [("床前明月光", "疑是地上霜", "舉頭望明月", "低頭思故鄉")]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff", "f: is not JSON"),
        (b"[" * 100_000, "f: is not JSON"),
        (b"{}", "f: expected a list of poems, got dict"),
        (b'[{"paragraphs": []}, {"lines": 1}]', "f: poem 2 has no list 'paragraphs'"),
        (b'[{"paragraphs": [1]}]', "f: poem 1 has no list 'paragraphs'"),
    ],
)
def test_a_file_that_is_none_is_named(content, what):
    with pytest.raises(DataError, match=what):
        poems_of(content, "f")


def test_longer_poems_give_stanzas_that_share_no_line_with_others():
    long = tuple("abcdefghij")
    assert _stanzas([long], without=[]) == [tuple("abcd"), tuple("efgh")]
    assert _stanzas([long], without=[tuple("wxyg")]) == [tuple("abcd")]


def test_the_text_is_marked_by_form_and_rare_characters_are_unknown():
    source = TangQuatrains.Config(twin=True, batch=2, min_count=2).build()
    names = source.spec.outputs.names
    text = "".join(names[sign] for sign in source.stream("dev").tolist())
    assert "<unk>" not in text
    for line in text.splitlines():
        width = int(line[0])
        assert [len(part) for part in line[1:].replace("。", "，").split("，")] == [width] * 4 + [0]
        assert line[1 + width :: width + 1] == "，。，。"
    assert len(source.spec.outputs.rhymes) == len(names)
    twin = {name: of for name, of in zip(names, source.spec.outputs.rhymes, strict=True) if of}
    rare = TangQuatrains.Config(twin=True, batch=2, min_count=100_000).build()
    assert len(rare.spec.outputs.names) == 3 + 4  # the marks of the forms and what stands behind lines
    planted = [{chr(0x4E00 + 26 + 3 * group + one) for one in range(3)} for group in range(4)]
    assert [len({twin[sign] for sign in group}) for group in planted] == [1] * 4
    assert len({twin[min(group)] for group in planted}) == 4


def test_planted_classes_are_found_under_noise():
    draw = np.random.default_rng(0)
    endings = []
    for _ in range(3000):
        group = draw.integers(8)
        endings.append([f"{group}.{one}" for one in draw.integers(12, size=3)])
        if draw.random() < 0.1:
            endings.append([f"{draw.integers(8)}.{draw.integers(12)}" for _ in range(2)])
    classes = rhyme_classes(endings)
    assert len(classes) == 96
    for group in range(8):
        assert len({classes[f"{group}.{one}"] for one in range(12)}) == 1
    assert sorted(set(classes.values())) == list(range(1, 9))


def test_joining_finds_the_best_of_all_partitions_of_a_small_graph():
    edges = np.zeros((6, 6))
    for a, b, weight in ((0, 1, 3), (1, 2, 3), (0, 2, 2), (3, 4, 3), (4, 5, 2), (3, 5, 3), (2, 3, 1)):
        edges[a, b] = edges[b, a] = weight
    shares, ends = edges / edges.sum(), edges.sum(1) / edges.sum()

    def modularity(owner):
        same = np.equal.outer(owner, owner)
        return ((shares - np.outer(ends, ends)) * same).sum()

    def partitions(place, owner):
        if place == 6:
            yield np.array(owner)
            return
        for group in range(max(owner, default=-1) + 2):
            yield from partitions(place + 1, [*owner, group])

    best = max(map(modularity, partitions(0, [])))
    assert modularity(_communities(edges, 1.0)) == pytest.approx(best, abs=1e-12)


def test_nothing_that_rhymes_gives_no_classes():
    assert rhyme_classes([]) == rhyme_classes([["a"], ["b"], ["a", "b"]]) == {}


def shares(source, parts):
    """Return how many poems of training share a line with dev or test, how many of dev are in test, and the sizes."""
    names = source.spec.outputs.names
    lines = {}
    for part in parts:
        poems = "".join(names[sign] for sign in source.stream(part).tolist()).splitlines()
        lines[part] = [set(re.split("[，。]", poem[1:])) - {""} for poem in poems]
    held = {line for part in ("dev", "test") for poem in lines[part] for line in poem}
    return (
        sum(bool(poem & held) for poem in lines["train"]),
        sum(poem in lines["test"] for poem in lines["dev"]),
        [len(poems) for poems in lines.values()],
    )


@pytest.mark.parametrize("stanzas", [True, False])
def test_no_poem_of_dev_or_test_stands_in_training_though_files_repeat_themselves(monkeypatch, stanzas):
    poems = [tuple(chr(0x4E00 + 20 * number + line) * 5 for line in range(4)) for number in range(60)]
    alike = [(poem[0], *(sign * 5 for sign in "甲乙丙")) for poem in poems]  # that share a line with each
    monkeypatch.setattr(tang_quatrains, "_official", lambda: [*poems, *poems, *alike])
    source = TangQuatrains.Config(stanzas=stanzas, min_count=1, batch=1).build()
    parts = _divided(tang_quatrains._official())
    assert not set(parts["dev"]) & set(parts["test"])
    assert [len(set(of)) for part, of in parts.items() if part != "train"] == [len(parts["dev"]), len(parts["test"])]
    held = {line for part in ("dev", "test") for poem in parts[part] for line in poem}
    fit = sum(not held & set(poem) for poem in parts["train"])
    assert 0 < fit < len(parts["train"])
    text = "".join(source.spec.outputs.names[sign] for sign in source.stream("train").tolist())
    assert text.count("\n") == fit


@real
@pytest.mark.parametrize("stanzas", [True, False])
def test_no_real_poem_of_dev_or_test_stands_in_training(stanzas):
    shared, twice, sizes = shares(TangQuatrains.Config(stanzas=stanzas, min_count=1).build(), ("train", "dev", "test"))
    assert (shared, twice) == (0, 0)
    assert sizes[1:] == [184, 184]


@real
def test_the_real_poems_rhyme_by_the_learned_classes():
    """The classes never saw the test quatrains; two endings drawn at random rhyme once in twenty times."""
    parts = _divided(_official())
    assert {part: len(of) for part, of in parts.items()} == {"train": 8196, "dev": 184, "test": 184}
    source = TangQuatrains.Config().build()
    classes = dict(zip(source.spec.outputs.names, source.spec.outputs.rhymes, strict=True))
    ends = [(poem[1][-1], poem[3][-1]) for poem in parts["test"]]
    rhyming = [a != b and 0 < classes.get(a, 0) == classes.get(b, -1) for a, b in ends]
    assert sum(rhyming) / len(ends) >= 0.9
    others = [b for _, b in ends[1:]] + [ends[0][1]]
    chance = [0 < classes.get(a, 0) == classes.get(b, -1) for (a, _), b in zip(ends, others, strict=True)]
    assert sum(chance) / len(ends) <= 0.1
