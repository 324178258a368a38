"""BLEU against sacrebleu's: tokens, corpora of damaged sentences, empty ones, several references."""

import math
import os
import random
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.data._pairs import Pairs, PairSource
from netsmith.data.multi30k import Multi30k, multi30k_sentences
from netsmith.layers.bleu import BleuCounts, bleu, bleu_tokens
from netsmith.tasks._bleu import Bleu
from netsmith.tasks.write import Write

TEXT = "Ein Mann, der 3,5 km (ca. 2.2 Meilen) läuft - 'sagt' er's: 10-12 & 5% &quot;ja&quot; ... A.B.C. 1.000,5"
WORDS = [*TEXT.split(), "<b>?!", "\\[x]_{y}^~|`@#$+*/=;"]


class Written(NamedTuple):
    tokens: torch.Tensor | None
    outputs: Outputs | None


def damaged(text, draw):
    words = text.split()
    for _ in range(draw.randint(0, 6)):
        kind, at = draw.randrange(4), draw.randrange(len(words) + 1)
        if kind == 0:
            del words[at : at + draw.randint(1, 3)]
        elif kind == 1:
            words.insert(at, draw.choice(WORDS))
        elif kind == 2:
            words[at : at + 3] = draw.sample(words[at : at + 3], len(words[at : at + 3]))
        elif words:
            words = words[: max(1, at)] + words[: draw.randint(0, 3)]
    return " ".join(words)


def corpus(seed, count=150):
    given, draw = os.environ.get("NETSMITH_DATA"), random.Random(seed)
    if given and (Path(given) / "multi30k").is_dir():
        references = draw.sample(sentences(), count)
    else:
        references = [" ".join(draw.choices(WORDS, k=draw.randint(1, 20))) for _ in range(count)]
    written = [damaged(text, draw) for text in references]
    written[3], written[7] = "", "   "
    return written, references


def sentences():
    return multi30k_sentences(("de",))["test"][1]["de"]


def test_tokens_are_those_of_13a():
    sacrebleu = pytest.importorskip("sacrebleu.tokenizers.tokenizer_13a")
    reference, draw = sacrebleu.Tokenizer13a(), random.Random(1)
    signs = "ab1 .,-'\"&();<>/\\[]_{}^~|`@#$%+*=:!?é漢\u00a0\n\t"
    texts = ["".join(draw.choices(signs, k=draw.randint(0, 30))) for _ in range(3000)]
    texts += [" ".join(WORDS), "x<skipped>y &amp;lt; well-\nknown", ""]
    for text in texts:
        assert bleu_tokens(text) == reference(text.rstrip()).split(), repr(text)


@pytest.mark.parametrize("seed", range(4))
def test_a_corpus_of_damaged_sentences(seed):
    metrics = pytest.importorskip("sacrebleu.metrics")
    written, references = corpus(seed)
    reference = metrics.BLEU()
    expected = reference.corpus_score(written, [references])
    assert str(reference.get_signature()).startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|")
    assert bleu(zip(written, references, strict=True)) == pytest.approx(expected.score, abs=1e-9)
    halves = BleuCounts(), BleuCounts()
    for at, pair in enumerate(zip(written, references, strict=True)):
        halves[at % 2].add(*pair)
    halves[0].merge(halves[1])
    assert halves[0].score() == pytest.approx(expected.score, abs=1e-9)
    assert (halves[0].matches, halves[0].totals) == (expected.counts, expected.totals)
    assert (halves[0].written, halves[0].wanted) == (expected.sys_len, expected.ref_len)


@pytest.mark.parametrize(
    ("written", "references"),
    [
        (["a b c d e"], ["a b x d e"]),  # no 3-gram, no 4-gram
        (["a b"], ["a b"]),  # too short for any
        (["x y z v w"], ["a b c d e"]),
        ([""], ["a b c"]),
        (["", "a b c d"], ["a b c", "a b c d"]),
        (["a a a a a a"], ["a a b"]),
        (["a b c d"], [""]),
        (["a b c d e f g h"], ["a b c d"]),
    ],
)
def test_few_or_no_matches(written, references):
    metrics = pytest.importorskip("sacrebleu.metrics")
    expected = metrics.BLEU().corpus_score(written, [references]).score
    assert bleu(zip(written, references, strict=True)) == pytest.approx(expected, abs=1e-9)


def test_several_references():
    metrics = pytest.importorskip("sacrebleu.metrics")
    written, first = corpus(5)
    second = [damaged(text, random.Random(at)) for at, text in enumerate(first)]
    counts = BleuCounts()
    for texts in zip(written, first, second, strict=True):
        counts.add(*texts)
    assert counts.score() == pytest.approx(metrics.BLEU().corpus_score(written, [first, second]).score, abs=1e-9)


def test_nothing_is_no_figure():
    assert math.isnan(BleuCounts().score())
    with pytest.raises(DataError, match="has no reference"):
        BleuCounts().add("a")


def test_the_figure_of_tokens_is_that_of_the_texts():
    metrics = pytest.importorskip("sacrebleu.metrics")
    given = os.environ.get("NETSMITH_DATA")
    if not given or not (Path(given) / "multi30k").is_dir():
        pytest.skip("the official files are not at hand")
    pairs = {}
    for split, (name, found) in multi30k_sentences(("en", "de")).items():
        pairs[split] = Pairs(found["en"][:2000], found["de"][:2000], name, range(1, len(found["en"][:2000]) + 1))
    source = PairSource(Multi30k.Config(merges=300), dataset="part", pairs=pairs)
    at = torch.arange(200)
    targets = source.load("test", at).targets
    tokens = targets.clamp(min=0)
    draw = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(0))
    tokens = torch.where((draw < 0.1) & (tokens > 2), tokens.roll(1, 0), tokens)
    outputs = source.spec.outputs
    metric, halves = Bleu(), (Bleu(), Bleu())
    metric.update(Written(tokens, outputs), targets)
    for half, part in zip(halves, (slice(0, 90), slice(90, 200)), strict=True):
        half.update(Written(tokens[part, :80], outputs), targets[part])
    halves[0].merge(halves[1])
    texts = []
    for row in tokens.tolist():
        row = [number for number in row[: row.index(2)] if number] if 2 in row else [number for number in row if number]
        names = ["\ufffc" if number == 1 else outputs.names[number] for number in row]
        texts.append("".join(names).replace("▁", " ").strip())
    expected = metrics.BLEU().corpus_score(texts, [[pair[1] for pair in source.texts("test", at)]]).score
    assert 20 < expected < 95
    assert metric.compute() == pytest.approx(expected, abs=1e-9)
    assert halves[0].compute() == pytest.approx(expected, abs=1e-9)


def test_lower_case_is_a_figure_of_its_own():
    metrics = pytest.importorskip("sacrebleu.metrics")
    step = Step(name="tokenize", pattern=r"\w+|[^\w\s]")
    names = ("<pad>", "<unk>", "<eos>", "Der", "der", "Hund", "hund", "sieht", "DEN", "den", "Mann", ".")
    outputs = Outputs(kind="tokens", names=names, steps=(step,))
    written = torch.tensor([[4, 6, 7, 9, 10, 11, 2], [3, 5, 7, 8, 10, 2, 0]])
    target = torch.tensor([[3, 5, 7, 9, 10, 11, 2], [3, 5, 7, 9, 10, 11, 2]])
    texts = [
        [" ".join(names[number] for number in row if number > 2) for row in rows.tolist()] for rows in (written, target)
    ]
    task = Write(Write.Config(figures=("bleu_lc", "bleu")))
    for name, lowercase in (("bleu", False), ("bleu_lc", True)):
        metric = task.metrics()[name]
        metric.update(Written(written, outputs), target)
        scorer = metrics.BLEU(lowercase=lowercase)
        expected = scorer.corpus_score(texts[0], [texts[1]]).score
        assert metric.compute() == pytest.approx(expected, abs=1e-9)
        assert f"case:{'lc' if lowercase else 'mixed'}" in str(scorer.get_signature())
    assert expected > 80
    lower = outputs.derive(steps=(step.derive(lowercase=True),))
    spec = Spec(dataset="mine", inputs=Inputs(kind="text", shape=(3,), dtype="int64"), outputs=lower)
    assert "answers of mine are in lower case" in task.config.misfit(spec)
    assert Write.Config(figures=("bleu_lc",)).misfit(spec) == task.config.misfit(spec.derive(outputs=outputs)) == ""


def test_unknown_words_match_nothing_and_keep_their_length():
    step = Step(name="tokenize", pattern=r"\w+|[^\w\s]")
    outputs = Outputs(kind="tokens", names=("<pad>", "<unk>", "<eos>", *"abcde"), steps=(step,))
    written = torch.tensor([[3, 4, 1, 6, 7, 5, 2, 0]])
    metric = Bleu()
    metric.update(Written(written, outputs), torch.tensor([[3, 4, 1, 6, 7, 5, 2, -100, -100]]))
    assert (metric.counts.matches, metric.counts.totals) == ([5, 3, 1, 0], [6, 5, 4, 3])
    assert (metric.counts.written, metric.counts.wanted) == (6, 6)
    for wrong in (Written(None, outputs), Written(written, None), Written(written, outputs.derive(steps=()))):
        with pytest.raises(ConfigError, match="BLEU needs the texts"):
            metric.update(wrong, written)
