"""An experiment is resolved against its data before anything is built."""

import pytest

import toy
from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.engine.experiment import Experiment


class Pair:
    class Config(ModelConfig):
        parts: tuple[ModelConfig, ...]
        named_size: int | str = 3


def test_everything_left_to_the_data_is_filled():
    config = Experiment(toy.config()).config
    assert (config.method.model.in_features, config.method.model.num_classes) == (8, 4)
    assert (config.steps, config.evaluate_every, config.checkpoint_every) == (40, 8, 8)
    assert AUTO not in config.to_json().replace('"device":"auto"', "")
    assert Experiment(config).config == config  # resolving again changes nothing
    nested = toy.config(method=toy.Supervised.Config(model=Pair.Config(parts=(toy.Net.Config(), toy.Net.Config()))))
    filled = nested.resolve(toy.Table.Config().build().spec, batches=8).method.model
    assert [part.in_features for part in filled.parts] == [8, 8]


def test_explicit_settings_are_kept():
    config = Experiment(toy.config(steps=7, epochs=0, evaluate_every=3)).config
    assert (config.steps, config.evaluate_every, config.checkpoint_every) == (7, 3, 3)
    assert Experiment(toy.config(steps=7, epochs=0)).config.evaluate_every == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"method.model.num_classes": 5},
            "method.model.num_classes is 5, but toy says 4; leave it out, or set it to auto",
        ),
        ({"steps": 41}, "steps=41 contradicts epochs=5 of 8 batches (40); set epochs=0 to count in steps"),
        (
            {"method.model": toy.ConvNet.Config()},
            "method.model.in_channels is left to the data, but toy does not decide it; set method.model.in_channels",
        ),
        ({"data": toy.Track.Config(), "method": toy.Reach.Config()}, "epochs: a live source has no epochs; give steps"),
    ],
)
def test_contradictions_name_both_sides(change, message):
    with pytest.raises(ConfigError) as caught:
        Experiment(toy.config().derive(**change))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "give steps or epochs: how long is it to learn?"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"evaluate_every": -1}, "evaluate_every must be at least 1, got -1"),
        ({"micro_batches": 0}, "input should be greater than or equal to 1 (got 0)"),
        ({"precision": "fp16"}, "input should be 'fp32', 'bf16' or 'fp64' (got 'fp16')"),
        ({"seed": -1}, "Experiment.Config.seed"),
        ({"stepz": 3}, "Experiment.Config has no field 'stepz'; did you mean 'steps'"),
    ],
)
def test_settings_are_checked(fields, message):
    with pytest.raises(ConfigError) as caught:
        toy.config(**fields)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_hash_leaves_out_what_does_not_decide_the_result():
    config = Experiment(toy.config()).config
    assert config.derive(workers=3, device="cpu", checkpoint_every=5).sha256() == config.sha256()
    for change in ({"seed": 1}, {"precision": "bf16"}, {"evaluate_every": 9}, {"data.batch": 31}):
        assert config.derive(**change).sha256() != config.sha256()


def test_same_seed_same_weights_another_seed_others():
    one, two, three = (toy.engine(toy.config(seed=seed)) for seed in (0, 0, 1))
    assert toy.sha(one) == toy.sha(two) != toy.sha(three)


def test_a_saved_schema_needs_no_data():
    config = Experiment(toy.config()).config
    spec = toy.Table.Config().build().spec
    rebuilt = Experiment(config, spec=spec)
    assert rebuilt.source is None
    with pytest.raises(ConfigError, match="opened without its data; training needs the data"):
        toy.Engine(rebuilt)
