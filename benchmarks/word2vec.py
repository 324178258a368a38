"""word2vec against gensim: the same text, settings and questions, on one core, in turns in one process.

First the rate: each round trains both on the same stretch of WikiText-2, one right after the other, in an order that
alternates; the median of the paired ratios of CPU time per word that was trained on (after thinning out) is printed: 2
means twice gensim's words per second. Ours includes drawing, windows and all that the engine does in a step; both have
their vocabulary before, and the compiled loop is warm (what compiling takes is told apart). Then the scores of both
after whole runs: Spearman's correlation and analogies, over the same questions.

Run: NETSMITH_DATA=... OMP_NUM_THREADS=1 python benchmarks/word2vec.py [--rounds 7] [--words 300000] [--epochs 5]
     [--out benchmarks/word2vec.evidence.json]
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from _evidence import write

from netsmith.data.wikitext2 import Wikitext2
from netsmith.data.word_windows import WordWindows
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.word_vectors import WordVectors
from netsmith.models.language.word2vec import Word2vec
from netsmith.tasks.word_relations import WordRelations

FORMS = {
    "skip-gram, negative": {"form": "skip_gram", "output": "negative"},
    "skip-gram, hierarchical": {"form": "skip_gram", "output": "hierarchical"},
    "CBOW, negative": {"form": "cbow", "output": "negative", "whole_error": True},
    "CBOW, hierarchical": {"form": "cbow", "output": "hierarchical", "whole_error": True},
}
RATE = 0.025


def theirs(form: dict[str, Any], epochs: int, seed: int = 0) -> Any:
    """Return gensim's model with our settings, its vocabulary not built yet."""
    tree = form["output"] == "hierarchical"
    word2vec = importlib.import_module("gensim.models").Word2Vec
    return word2vec(
        vector_size=100, window=5, min_count=5, sample=1e-3, sg=int(form["form"] == "skip_gram"), hs=int(tree),
        negative=0 if tree else 5, alpha=RATE, min_alpha=1e-4, workers=1, epochs=epochs, seed=seed + 1, sorted_vocab=1,
    )  # fmt: skip


def sentences(source: WordWindows) -> list[list[str]]:
    """Return the text as our source has it, line by line."""
    names, words = source.spec.inputs.vocabulary, source._words.read(0, len(source._words)).tolist()
    starts = source._starts.tolist()
    return [[names[word] for word in words[a:b]] for a, b in itertools.pairwise(starts)]


def compare_rate(source: WordWindows, form: dict[str, Any], rounds: int, words: int) -> dict[str, Any]:
    """Return the paired ratios of words per CPU second."""
    lines = sentences(source)
    count = 0
    some = [line for line in lines if (count := count + len(line)) <= words]
    peer = theirs(form, epochs=1)
    peer.build_vocab(lines)
    model = Word2vec.Config(vocab_size=len(source.spec.inputs.vocabulary), compiled=True, **form).build()
    model.observe(source.spec.inputs.counts)
    order, at = [], 0
    for indices in source.order("train", seed=0, epoch=0):
        at += len(indices)
        if at <= words:
            order.append(indices)
    begin = time.process_time()
    model.learn(source.load("train", order[0], key=1), rate=RATE)
    compiling = time.process_time() - begin

    def ours(key: int) -> float:
        begin, done = time.process_time(), 0
        for indices in order:
            batch: Batch = source.load("train", indices, key=key)
            model.learn(batch, rate=RATE)
            done += len(batch)
        return done / (time.process_time() - begin)

    def other() -> float:
        begin = time.process_time()
        done, _ = peer.train(some, total_examples=len(some), epochs=1)
        return done / (time.process_time() - begin)

    pairs = []
    for number in range(rounds):
        first = other() if number % 2 else 0.0
        mine = ours(number)
        pairs.append((mine, first or other()))
    ratios = [mine / peers for mine, peers in pairs]
    mine, peers = (round(statistics.median(column)) for column in zip(*pairs, strict=True))
    return {
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ours_words_per_s": mine,
        "gensim_words_per_s": peers,
        "first_call_s": round(compiling, 1),
    }


def figures(source: WordWindows, model: Word2vec) -> dict[str, float]:
    """Return what a model's vectors answer to the questions of dev and test, each collection's figure."""
    found = {}
    for split in ("dev", "test"):
        metrics = WordRelations.Config(similarity=("men", "ws353", "rg65")).build().metrics()
        with torch.no_grad():
            for indices in source.order(split, seed=0, epoch=0):
                batch = source.load(split, indices)
                for metric in metrics.values():
                    metric.update(model(batch.inputs), batch.targets)
        values = {name: metric.compute() for name, metric in metrics.items()}
        found |= {
            name: round(value, 4) for name, value in values.items() if value == value and values.get(f"{name}_known", 1)
        }
    return found


def compare_scores(source: WordWindows, form: dict[str, Any], epochs: int, seed: int) -> dict[str, Any]:
    """Return both's scores after a whole run."""
    config = Experiment.Config(
        method=WordVectors.Config(model=Word2vec.Config(**form), task=WordRelations.Config(), rate=RATE),
        data=source.config,
        epochs=epochs,
        seed=seed,
        evaluate_every=10**9,
    )
    engine = Engine(Experiment(config, source=source))
    engine.fit()
    peer = theirs(form, epochs=epochs, seed=seed)
    lines = sentences(source)
    peer.build_vocab(lines)
    peer.train(lines, total_examples=len(lines), epochs=epochs)
    copy = Word2vec.Config(vocab_size=len(source.spec.inputs.vocabulary)).build()
    for number, name in enumerate(source.spec.inputs.vocabulary[2:], start=2):
        copy.embedding.weight[number] = torch.from_numpy(peer.wv[name].copy())
    return {"netsmith": figures(source, engine.method.product()), "gensim": figures(source, copy)}  # type: ignore[arg-type]


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="paired rounds, at least 7")
    parser.add_argument("--words", type=int, default=300_000, help="words of the text in each round")
    parser.add_argument("--epochs", type=int, default=5, help="of the runs that are scored; 0 leaves them out")
    parser.add_argument("--form", choices=FORMS, action="append", help="one form; all by default")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    source = WordWindows.Config(text=Wikitext2.Config()).build()
    found: dict[str, Any] = {}
    for name in asked.form or FORMS:
        found[name] = {"rate": compare_rate(source, FORMS[name], asked.rounds, asked.words)}
        print(name, json.dumps(found[name]["rate"]), flush=True)
        if asked.epochs:
            found[name]["scores"] = compare_scores(source, FORMS[name], asked.epochs, seed=0)
            for who, scores in found[name]["scores"].items():
                print(f"  {who:9}", json.dumps(scores), flush=True)
    write(asked.out, {"epochs": asked.epochs, "words": asked.words, "forms": found})


if __name__ == "__main__":
    main()
