"""Words near words from a run, its vectors as a file that gensim reads, and what is refused."""

import json
import random

import pytest
import torch
from torch.nn import functional as F

import netsmith as package
from netsmith.api.similar import word_vectors
from netsmith.data import word_windows
from netsmith.data._word_sets import Question


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    root = tmp_path_factory.mktemp("vectors")
    sets = {"data.twin": True, "epochs": 0, "steps": 8, "method.model.size": 12, "method.model.compiled": False}
    package.train("word2vec_wikitext2", name="vectors", sets=sets, root=root, notice=lambda _: None)
    return root / "vectors"


def test_the_nearest_are_those_of_the_cosines(netsmith, vectors):
    found = json.loads(netsmith(f"similar {vectors} bU cv --without bv --top 3 --json").out)
    network = package.load(vectors, notice=lambda _: None).network
    names = network.spec.inputs.vocabulary
    unit = F.normalize(network.module.embedding.weight.double(), dim=1)
    a, b, c = (names.index(word) for word in ("bu", "cv", "bv"))
    cosines = unit @ F.normalize(unit[a] + unit[b] - unit[c], dim=0)
    cosines[[0, 1, a, b, c]] = -2
    values, places = cosines.topk(3)
    assert [row["word"] for row in found] == [names[place] for place in places.tolist()]
    assert [row["cosine"] for row in found] == pytest.approx(values.tolist())
    lines = netsmith(f"similar {vectors} bu cv --without bv --top 3").out.splitlines()
    assert lines == [f"{row['cosine']:.4f}  {row['word']}" for row in found]


def test_predict_shows_them_too(netsmith, vectors):
    (row,) = json.loads(netsmith(f"predict {vectors} --json", stdin=b"bu\n").out)
    assert next(iter(row["near"])) == "bu"
    assert len(row["near"]) == 10
    found = netsmith(f"predict {vectors}", stdin=b"bu\n\nnobody\n")
    assert found.out.startswith("row 1\tnear: bu 1.0000, ")
    assert found.err == f"row 3: {vectors.name} knows no token of it; its answer says nothing of what it read\n"


def test_the_file_is_word2vecs(netsmith, vectors, tmp_path):
    file = tmp_path / "vectors.txt"
    told = netsmith(f"similar {vectors} --save {file}")
    assert told.code == 0, told.err
    network = package.load(vectors, notice=lambda _: None).network
    head, *rows = file.read_text().splitlines()
    assert head == f"{len(network.spec.inputs.vocabulary) - 2} 12"
    word, *numbers = rows[5].split()
    assert word == network.spec.inputs.vocabulary[7]
    torch.testing.assert_close(torch.tensor([float(n) for n in numbers]), network.module.embedding.weight[7])
    keyed = pytest.importorskip("gensim.models").KeyedVectors.load_word2vec_format(file)
    near = [word for word, _ in keyed.most_similar(positive=["bu", "cv"], negative=["bv"], topn=3)]
    assert near == [row["word"] for row in json.loads(netsmith(f"similar {vectors} bu cv --without bv --json").out)][:3]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("bq", "no word of vectors named 'bq'"),
        ("", "nothing to compare with: give a word"),
        ("BU cv --without bu", "'bu' is both added and subtracted"),
        ("bu --save x.txt", "--save writes the vectors of all words"),
    ],
)
def test_what_cannot_be_is_one_line(netsmith, vectors, words, line):
    refused = netsmith(f"similar {vectors} {words}")
    assert refused.code == 2
    assert line in refused.err
    assert len(refused.err.strip().splitlines()) == 1


SMALL = "--set method.model.size=12 --set method.model.compiled=false --set epochs=10 --set data.window=2"
NONE = "--set data.test=[]"


@pytest.fixture
def own(tmp_path):
    """A text in which sun and moon stand alike, and so do cat and dog."""
    file, draw = tmp_path / "my.txt", random.Random(0)
    places = [
        "The sun shone over the hill.",
        "A moon shone over the hill!",
        "My cat chased a mouse",
        "My dog chased a mouse",
    ]
    file.write_text("".join(f"{draw.choice(places)}\n" for _ in range(2000)), encoding="utf-8")
    return file


def test_vectors_of_words_of_ones_own_text(netsmith, own, monkeypatch):
    sets = {"men": [Question("men", ("Sun", "moon"), 9.0), Question("men", ("sun", "mouse"), 1.0)] * 5}
    monkeypatch.setattr(word_windows, "word_set", lambda name: sets.get(name, [Question(name, ("Tag", "Nacht"), 1.0)]))
    done = netsmith(f"train word2vec_wikitext2 --data {own} {SMALL}")
    assert done.code == 0, done.err
    words = 12  # the sun shone over hill moon my cat chased mouse dog a; and two marks
    assert f"my.txt: {words + 2} words known in " in done.err
    assert "asked men (10 of 10); left out analogies, ws353, ws353_sim" in done.err
    assert "mc30 (0 questions of known words)" in done.err
    network = package.load("runs/word2vec_wikitext2", notice=lambda _: None)
    assert network.figures()["dev/men_known"] == 10
    assert network.similar(["Cat"], top=1)[0][0] == "dog"
    moved = own.rename(own.with_name("moved.txt"))
    again = netsmith(f"train runs/word2vec_wikitext2/experiment.json --data {moved} --name again")
    assert again.code == 0, again.err
    kept = json.loads((package.load("runs/again").path / "experiment.json").read_text())["experiment"]["data"]
    assert (kept["text"]["path"], kept["text"]["dev"], kept["fitting"]) == (str(moved), 0.0, True)


@pytest.mark.parametrize(
    ("content", "more", "line"),
    [
        (None, NONE, "my.txt: does not exist"),
        (b"", NONE, "my.txt: has 0 bytes, no text; expected 1 or more lines"),
        (b"a b a b\nc\xe9 a\n", NONE, "my.txt, row 2: holds the byte 0xe9, not UTF-8; save it as UTF-8"),
        (b"once upon a time\n", NONE, "my.txt: 0 words come at least 5 times; expected at least 2 (min_count)"),
        (b"a b a b\n", f"{NONE} --set data.text.pattern=[", "the token pattern '[' is not a regular expression"),
        (b"a b a b\n" * 9, "--set data.twin=true", "data.twin=true takes made-up data in place of --data"),
    ],
)
def test_a_text_that_gives_no_vectors_is_refused(netsmith, own, monkeypatch, content, more, line):
    monkeypatch.setenv("NETSMITH_DATA", str(own.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(own.parent))
    monkeypatch.setenv("NETSMITH_OFFLINE", "1")
    own.unlink() if content is None else own.write_bytes(content)
    refused = netsmith(f"train word2vec_wikitext2 --data {own} {SMALL} --set data.dev=[] {more}")
    assert refused.code == 2
    assert line in refused.err
    assert len(refused.err.strip().splitlines()) == 1


@pytest.mark.parametrize("recipe", ["drmm_wikiqa", "knrm_wikiqa"])
def test_vectors_of_networks_that_match_texts_without_the_slots_of_unknown_words(netsmith, tmp_path, recipe):
    sets = {"steps": 1, "epochs": 0, "evaluate_every": 1, "data.twin": True}
    package.train(recipe, name="match", sets=sets, root=tmp_path, notice=lambda _: None)
    network = package.load(tmp_path / "match", notice=lambda _: None).network
    names, vectors = word_vectors(network)
    whole = network.spec.inputs.vocabulary
    known = [number for number, name in enumerate(whole) if not name.startswith(("<unk", "<pad"))]
    assert list(names) == [whole[number] for number in known]
    assert torch.equal(vectors, network.module.embedding.weight[known])
    told = netsmith(f"similar {tmp_path / 'match'} {names[0]} --json")
    assert names[0] not in {row["word"] for row in json.loads(told.out)}


def test_a_network_without_word_vectors_is_refused(netsmith, tmp_path):
    sets = {"steps": 2, "epochs": 0, "data.twin": True}
    package.train("mlp_digits", name="digits", sets=sets, root=tmp_path, notice=lambda _: None)
    refused = netsmith(f"similar {tmp_path / 'digits'} a")
    assert refused.code == 2
    assert "digits has no vector for each word" in refused.err
