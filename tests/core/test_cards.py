"""Cards: claims that hold or do not, and gaps from a closed list."""

import pytest

from netsmith.api.experiments import find
from netsmith.core import registry
from netsmith.core.cards import GAP_REASONS, Card, Claim, card_of
from netsmith.core.errors import ConfigError, UnknownNameError


@pytest.mark.parametrize(
    ("direction", "measured", "holds"),
    [
        ("at_least", 0.90, True),
        ("at_least", 0.89, True),
        ("at_least", 0.8899, False),
        ("at_least", 1.0, True),
        ("at_most", 0.91, True),
        ("at_most", 0.9101, False),
        ("at_most", 0.0, True),
        ("equal", 0.8901, True),
        ("equal", 0.92, False),
        ("equal", 0.88, False),
        ("at_least", float("nan"), False),
        ("at_most", float("nan"), False),
        ("equal", float("nan"), False),
    ],
)
def test_a_claim_holds_within_its_tolerance(direction, measured, holds):
    claim = Claim(metric="test/accuracy", value=0.9, tolerance=0.01, source="Table 1", direction=direction)
    assert claim.holds(measured) is holds


@pytest.mark.parametrize("reason", sorted(GAP_REASONS))
def test_every_reason_of_the_list_is_accepted(reason):
    assert Card.load({"paper": "x", "known_gaps": {"export": reason}}).known_gaps == {"export": reason}


def test_gap_reasons_are_closed():
    with pytest.raises(ConfigError) as caught:
        Card.load({"paper": "x", "known_gaps": {"export": "too hard"}})
    text = str(caught.value)
    assert "known_gaps['export']: 'too hard' is not one of batch_statistics, closed_form" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Card.paper is required"),
        ({"paper": "x", "clams": []}, "Card has no field 'clams'; did you mean 'claims'?"),
        ({"paper": "x", "claims": [{"metric": "a"}]}, "Card.claims.0.value is required"),
        ({"paper": "x", "seeds": ["0"]}, "Card.seeds.0: input should be a valid integer"),
    ],
)
def test_malformed_cards(fields, message):
    with pytest.raises(ConfigError) as caught:
        Card.load(fields)
    assert message in str(caught.value)


def test_a_variant_has_its_own_claims(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "net.py").write_text(
        'CARD = {"paper": "P", "claims": [{"metric": "m", "value": 1.0, "tolerance": 0.0, "source": "s"}]}\n'
        'VARIANTS = {"big": {"set": {"method.depth": 9}, "claims": [], "deviations": ["bigger"]}}\n'
    )
    assert len(card_of("net").claims) == 1
    assert card_of("net:big") == Card(paper="P", deviations=("bigger",))
    (tmp_path / "recipes" / "wide.py").write_text(
        'CARD = {"paper": "P", "deviations": ["cropped", "fewer steps"]}\n'
        'VARIANTS = {"big": {"set": {}, "deviations": ["bigger", "cropped"]}, "odd": {"deviations": 3}}\n'
    )
    assert card_of("wide:big").deviations == ("cropped", "fewer steps", "bigger")
    with pytest.raises(ConfigError, match=r"^wide\.py: Card\.deviations: "):
        card_of("wide:odd")
    with pytest.raises(UnknownNameError, match="no variant of net named 'bug'; did you mean 'big'"):
        card_of("net:bug")
    (tmp_path / "recipes" / "worse.py").write_text('CARD = {"paper": 3}\n')
    with pytest.raises(ConfigError, match=r"^worse\.py: Card\.paper: input should be a valid string \(got 3\)$"):
        card_of("worse")


def test_the_deep_variant_warms_up_for_400_of_its_steps_and_for_less_of_a_short_run():
    config = find("resnet20_cifar10:110").config
    schedule = config.optimizers["model"].schedule.build()
    assert [schedule.factor(step, config.steps) for step in (399, 400)] == pytest.approx([0.1, 1.0])
    assert schedule.factor(10, 120) == 1.0
