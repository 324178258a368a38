"""Directions are judged each by its own: by translators that are perfect, or write English whatever they are asked."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from netsmith.core.errors import UnsupportedError
from netsmith.data.multi30k import LANGUAGES, Multi30k, multi30k_sentences
from netsmith.data.multi30k_multilingual import Multi30kMultilingual
from netsmith.layers.bleu import bleu
from netsmith.layers.target_language import asked_for
from netsmith.workflows.zero_shot import judge_directions

DIRECTIONS = ("en-de", "de-en", "en-fr", "fr-en")
SAID = multi30k_sentences(LANGUAGES, twin=True)["test"][1]
ROWS = {text: row for texts in SAID.values() for row, text in enumerate(texts)}


class Translator:
    """Knows all sentences; of ``blind`` languages it reads, it writes English unless it is asked for that."""

    def __init__(self, *blind):
        self.blind = blind

    def predict(self, texts):
        return [{"text": self.one(text)} for text in texts]

    def one(self, text):
        target, bare = asked_for(text), text.split(maxsplit=1)[1]
        read = next(language for language in LANGUAGES if bare in SAID[language])
        return SAID["en" if read in self.blind else target][ROWS[bare]]


@pytest.fixture(scope="module")
def source():
    config = Multi30kMultilingual.Config(directions=DIRECTIONS, zero_shot=("de-fr",), twin=True, merges=0)
    return config.build()


def run(source, network):
    return SimpleNamespace(engine=SimpleNamespace(source=source), network=network, path=Path("multilingual"))


def test_a_perfect_translator_has_all_and_names_the_directions_that_were_never_shown(source):
    found = judge_directions(run(source, Translator()))
    assert [(one.name, one.trained) for one in found] == [(name, True) for name in DIRECTIONS] + [("de-fr", False)]
    for one in found:
        assert (one.texts, one.told, one.in_target) == (24, 1, 1)
        assert one.bleu == pytest.approx(100)
        assert (one.pivot is None) == ("en" in one.name)
    assert found[-1].pivot == pytest.approx(100)
    assert found[-1].pivot_in_target == 1


def test_one_that_writes_english_is_seen_to_and_is_mended_by_way_of_english(source):
    (one,) = judge_directions(run(source, Translator("de")), directions=("de-fr",), most=20)
    assert (one.texts, one.in_target, one.pivot_in_target) == (20, 0, 1)
    assert one.bleu == pytest.approx(bleu(zip(SAID["en"][:20], SAID["fr"][:20], strict=True)))
    assert one.untranslated == pytest.approx(bleu(zip(SAID["de"][:20], SAID["fr"][:20], strict=True)))
    assert one.pivot == pytest.approx(100)


def test_a_run_of_one_direction_is_refused():
    other = Multi30k.Config(twin=True, merges=0).build()
    with pytest.raises(
        UnsupportedError, match="multilingual was trained on multi30k-en-de; expected a run on multi30k"
    ):
        judge_directions(run(other, Translator()))
