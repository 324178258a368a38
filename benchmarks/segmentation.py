"""Chinese segmentation against jieba: the same dictionary, the same table, the same text, in turns in one process.

First every mode's output is compared on the whole text, more than a megabyte of news, reviews, poems and test sets of
$NETSMITH_DATA with odd strings between, and once more with words of the user's own. Then each mode is timed in a
process of its own, which has loaded what that mode needs of both and nothing else: tables of other modes push the
dictionaries out of the processor's caches. Each round runs one right after the other, in an order that alternates; the
median of the paired ratios of time (jieba's / ours) is printed: 2 means twice jieba's throughput. Both are warm:
dictionaries, tables and compiled loops are loaded and the text was cut once before, and what loading takes is told
apart. CPU time is counted, as other programs may run on the machine.

Run: NETSMITH_DATA=... python benchmarks/segmentation.py [--rounds 9] [--out benchmarks/segmentation.evidence.json]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import statistics
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from _evidence import write

from netsmith.models.chinese import (
    PlaceHmm,
    PrefixDictionary,
    Segmenter,
    TagHmm,
    jieba_folder,
    jieba_place_table,
    jieba_tag_table,
)

WAYS: dict[str, dict[str, Any]] = {
    "accurate": {},
    "accurate, no hmm": {"hmm": False},
    "search": {"mode": "search"},
    "search, no hmm": {"mode": "search", "hmm": False},
    "full": {"mode": "full"},
}
ODD = "\r\n \u3000AT&T和3AT&T-5G c#与C++、.NET 3.5%涨12.34%...5.%%\t𠮷家😀👍🏽\ud83d龘\x00\uffff鿕鿖ＡＢひ한\n"
USER = "云计算 5\n李小福 2 nr\nEdu Trust认证 2000\n台中\nb 3\nbc 7\n的 0\n小区 0\n今天天气 n\n中国人民 0\n"


def whole_text() -> str:
    """Return more than a megabyte from five sources, mixed by paragraph, with odd strings and very long lines."""
    data = Path(os.environ["NETSMITH_DATA"])
    news = zipfile.ZipFile(data / "pfr-199801/199801.zip").read("199801.txt").decode("gb18030")
    parts = ["".join(token.rpartition("/")[0].lstrip("[") for token in line.split()[1:]) for line in news.splitlines()][
        :1000
    ]
    for name in ("pku", "msr"):
        parts += (data / f"icwb2/testing/{name}_test.utf8").read_text("utf-8").splitlines()[:700]
    reviews = zipfile.ZipFile(data / "chnsenticorp/chnsenticorp.zip").read("test.tsv").decode("utf-8")
    parts += reviews.splitlines()[:700]
    for poem in json.loads((data / "chinese-poetry/全唐诗/poet.tang.0.json").read_text("utf-8"))[:300]:
        parts += [poem["title"] + poem["author"], *poem["paragraphs"]]
    draw = random.Random(0)
    draw.shuffle(parts)
    parts[::50] = [part + ODD for part in parts[::50]]
    long = "".join("".join(parts).split())[:100_000]
    return "\n".join([long, *parts, ""])


def theirs(peer: Any, text: str, mode: str = "accurate", hmm: bool = True) -> list[str]:
    """Run jieba."""
    if mode == "full":
        return peer.lcut(text, cut_all=True)
    return peer.lcut_for_search(text, HMM=hmm) if mode == "search" else peer.lcut(text, HMM=hmm)


def same(name: str, ours: list[Any], other: list[Any]) -> int:
    """Stop where two lists of words differ; return how many there are."""
    for at, (own, peer) in enumerate(zip(ours, other, strict=False)):
        assert own == peer, f"{name}: differs at {at}: {ours[at - 3 : at + 3]} and {other[at - 3 : at + 3]}"
    assert len(ours) == len(other), name
    return len(ours)


def timed_alone(name: str, kind: str, text: str, rounds: int) -> dict[str, Any]:
    """Compare one way of both, in a process that has loaded nothing but what it needs."""
    jieba, tagger = peers(tags=name.startswith("tags"))
    folder = jieba_folder()
    assert folder is not None
    words = PrefixDictionary.from_file(folder / "dict.txt")
    if tagger is not None:
        use = name == "tags"
        own = Segmenter(words, tag_hmm=TagHmm(jieba_tag_table(folder)) if use else None)
        ours, other = partial(own.tag, text, hmm=use), partial(tagger.lcut, text, HMM=use)
    else:
        way = WAYS[name]
        hmm = PlaceHmm(jieba_place_table(folder)) if "hmm" not in way and name != "full" else None
        own = Segmenter(words, hmm=hmm, fast=kind == "numba")
        ours, other = partial(own.segment, text, **way), partial(theirs, jieba, text, **way)
    same(name, ours(), [tuple(pair) for pair in other()] if tagger else other())
    return compare(f"{name}, {kind}", ours, other, len(text.encode("utf-8", "surrogatepass")), rounds)


def peers(*, tags: bool) -> tuple[Any, Any]:
    """Return jieba and, where it is asked for, its tagger; loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba's own
        jieba = importlib.import_module("jieba")
        tagger = importlib.import_module("jieba.posseg") if tags else None
    jieba.setLogLevel(60)
    jieba.initialize()
    return jieba, tagger


def compare(name: str, ours: Callable[[], Any], other: Callable[[], Any], size: int, rounds: int) -> dict[str, Any]:
    """Run both in turns; return the paired ratios."""
    ratios, seconds = [], []
    for number in range(rounds):
        spent = {}
        for which in (ours, other) if number % 2 else (other, ours):
            begin = time.process_time()
            which()
            spent[which] = time.process_time() - begin
        ratios.append(spent[other] / spent[ours])
        seconds.append(spent[ours])
    median = statistics.median(ratios)
    rate = size / statistics.median(seconds) / 2**20
    print(f"{name:34}{median:8.2f}   {min(ratios):.2f} to {max(ratios):.2f}   ours {rate:.2f} MiB/s", flush=True)
    return {"ratio": round(median, 3), "ratios": [round(ratio, 3) for ratio in ratios], "mib_per_s": round(rate, 2)}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds, at least 7")
    parser.add_argument("--megabytes", type=float, default=1.0, help="of the text that is timed; all is compared")
    parser.add_argument("--no-tags", action="store_true", help="leave jieba's slowest mode out")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    asked = parser.parse_args()
    jieba, tagger = peers(tags=True)
    text = whole_text()
    size = len(text.encode("utf-8", "surrogatepass"))
    folder = jieba_folder()
    assert folder is not None
    loads: dict[str, float] = {}

    def load(name: str, make: Callable[[], Any]) -> Any:
        begin = time.process_time()
        made = make()
        loads[name] = round(time.process_time() - begin, 2)
        return made

    words = load("dictionary", lambda: PrefixDictionary.from_file(folder / "dict.txt"))
    hmm = load("table of places", lambda: PlaceHmm(jieba_place_table(folder)))
    tags = load("table of tags", lambda: TagHmm(jieba_tag_table(folder)))
    plain = Segmenter(words, hmm=hmm, tag_hmm=tags)
    ways = {"pure Python": plain}
    try:
        ways["numba"] = Segmenter(words, hmm=hmm, fast=True)
    except ImportError as error:
        print(error)
    else:
        load("compiling, arrays", lambda: [ways["numba"].segment("去北京", **way) for way in WAYS.values()])
    print(f"{size:,} bytes, {len(text):,} characters; CPU seconds to load: {loads}")

    compared: dict[str, int] = {}
    for name, way in WAYS.items():
        expected = theirs(jieba, text, **way)
        for kind, segmenter in ways.items():
            compared[name] = same(f"{name}, {kind}", segmenter.segment(text, **way), expected)
    for mode, named in (("accurate", "default"), ("search", "search")):
        expected = list(jieba.tokenize(text, mode=named))
        compared[f"places, {mode}"] = same(f"places, {mode}", plain.tokens(text, mode=mode), expected)
    tag_text = text[: len(text) // 4] if asked.no_tags else text
    for name, use in (("tags", True), ("tags, no hmm", False)):
        expected = [tuple(pair) for pair in tagger.lcut(tag_text, HMM=use)]
        compared[name] = same(name, plain.tag(tag_text, hmm=use), expected)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as user:
        user.write(USER)
        user.flush()
        peer = jieba.Tokenizer()
        peer.load_userdict(user.name)
        own = PrefixDictionary.from_file(folder / "dict.txt")
        mine = {"pure Python": Segmenter(own, hmm=hmm)}
        mine["pure Python"].load_user_words(user.name)
        if "numba" in ways:
            mine["numba"] = ways["numba"]
            ways["numba"].dictionary, ways["numba"].forced = own, mine["pure Python"].forced
    for name, way in WAYS.items():
        expected = theirs(peer, text, **way)
        for kind, segmenter in mine.items():
            compared[f"user words, {name}"] = same(
                f"user words, {name}, {kind}", segmenter.segment(text, **way), expected
            )
    print("the same words: " + ", ".join(f"{name} {count:,}" for name, count in compared.items()))

    timed = text[100_000:][: int(asked.megabytes * 2**20 / 3)]
    figures: dict[str, Any] = {}
    print(f"{'':34}{'median':>8}   ratios jieba's time / ours")
    shares = {"tags": 20, "tags, no hmm": 4}  # of a text, as jieba takes its time
    for name, kind in [*((name, kind) for kind in ways for name in WAYS), *((name, "pure Python") for name in shares)]:
        if asked.no_tags and name == "tags":
            continue
        few = timed[: len(timed) // shares.get(name, 1)]
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            figures[f"{name}, {kind}"] = alone.submit(timed_alone, name, kind, few, max(7, asked.rounds)).result()
    if asked.out is not None:
        told = {
            "jieba": jieba.__version__,
            "python": ".".join(map(str, __import__("sys").version_info[:3])),
            "bytes_compared": size,
            "words_compared": compared,
            "bytes_timed": len(timed.encode("utf-8", "surrogatepass")),
            "load_cpu_s": loads,
            "modes": figures,
        }
        write(asked.out, told)


if __name__ == "__main__":
    main()
