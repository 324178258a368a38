"""Every recipe passes every conformance check or declares the gap; a check runs in a child of one warm parent."""

from __future__ import annotations

import gc
import os
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from netsmith.api.experiments import find
from netsmith.core.cards import card_of, variants_of
from netsmith.core.errors import ProofError
from netsmith.core.registry import find_recipe, recipes
from netsmith.export.onnx import export_onnx
from netsmith.verify import checks
from netsmith.verify.checks import CHECKS, run_check
from netsmith.verify.subject import Subject

NAMES = [
    name
    for recipe, entry in recipes().items()
    for name in (recipe, *(f"{recipe}:{variant}" for variant in variants_of(entry)))
]


@pytest.fixture(scope="module", autouse=True)
def _warm() -> Iterator[None]:
    """Import and compile what the checks need once, in the parent: a child then starts in milliseconds."""
    for module in ("sklearn.datasets", "gymnasium"):
        __import__(module)
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # a forked child may not use the parent's thread pool
    with tempfile.TemporaryDirectory() as folder:  # the first export of a process builds the exporter's tables
        network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
        export_onnx(network, torch.zeros(2, 1, 8, 8), Path(folder) / "warm.onnx")
    for name in NAMES:
        find(name)
    Subject.of("word2vec_wikitext2").engine(steps=1).fit()  # its loop is compiled; all its variants share it
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, all of the parent's pages
    yield
    gc.unfreeze()
    torch.set_num_threads(before)


def _in_child(name: str, check: str) -> str:
    """Run one check in a forked child and return its result, or the traceback after ``FAILED``."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "result"
        child = os.fork()
        if child == 0:
            try:
                text = run_check(name, check, Path(folder) / "check")
            except BaseException:
                text = "FAILED\n" + traceback.format_exc()
            report.write_text(text, encoding="utf-8")
            os._exit(0)
        os.waitpid(child, 0)
        return report.read_text(encoding="utf-8") if report.exists() else "FAILED\nthe child died"


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_conforms(name: str, check: str) -> None:
    result = _in_child(name, check)
    assert result == "passed" or result.startswith("gap: "), f"{name}: {check}: {result}"


def test_an_unrelated_error_is_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("an unrelated bug")

    assert card_of("naive_bayes_digits").known_gaps["gradients"] == "closed_form"
    monkeypatch.setitem(CHECKS, "gradients", broken)
    with pytest.raises(TypeError, match="an unrelated bug"):
        run_check("naive_bayes_digits", "gradients", tmp_path)


def test_evidence_of_other_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = checks.evidence_of(*find_recipe("mlp_digits"))
    assert run_check("mlp_digits", "evidence_is_fresh", tmp_path) == "passed"
    other = {**written, "data_sha256": {**written["data_sha256"], "dev": "0" * 64}}
    monkeypatch.setattr(checks, "evidence_of", lambda *_: other)
    with pytest.raises(ProofError, match=r"the splits \['dev'\] are no longer the data"):
        run_check("mlp_digits", "evidence_is_fresh", tmp_path)


def test_gaps_name_existing_checks_and_are_few() -> None:
    gaps = 0
    for name in NAMES:
        known = card_of(name).known_gaps
        assert set(known) <= set(CHECKS), f"{name} declares gaps for unknown checks {sorted(set(known) - set(CHECKS))}"
        gaps += len(known)
    assert gaps <= 0.1 * len(NAMES) * len(CHECKS)
