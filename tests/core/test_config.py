"""Configs: values that nest by role, survive JSON with a subclass's fields, and say what is wrong in one line."""

import json
import random
import subprocess
import sys
from typing import ClassVar

import pytest
from pydantic import ValidationError

import toy
from netsmith.core.config import AUTO, Auto, Config, FrozenMap
from netsmith.core.errors import ConfigError
from netsmith.core.roles import HookConfig, MethodConfig, ModelConfig, OptimizerConfig
from netsmith.engine.experiment import Experiment
from netsmith.engine.hooks.early_stop import EarlyStop
from netsmith.engine.hooks.ema import Ema


class Layer:
    class Config(ModelConfig):
        size: int = 4
        rates: tuple[float, ...] = (0.5,)


class Deep:
    class Config(ModelConfig):
        depth: int | Auto = AUTO
        layers: tuple[ModelConfig, ...] = ()
        named: FrozenMap[ModelConfig] = FrozenMap[ModelConfig]()
        sizes: FrozenMap[tuple[int, ...]] = FrozenMap[tuple[int, ...]]()
        first: ModelConfig = Layer.Config()
        scale: float = 1.0
        note: str = ""

    def __init__(self, config):
        self.config = config


KINDS = {("model", "layer"): Layer.Config, ("model", "deep"): Deep.Config}


def nested():
    return Deep.Config(
        depth=3,
        layers=[Layer.Config(size=1), Deep.Config(first=Layer.Config(size=7, rates=[0.1, 1]))],
        named={"a": Layer.Config(size=2)},
        sizes={"x": (1, 2)},
        note="ü\u2028\"'",
    )


def test_round_trip_keeps_the_fields_of_subclasses():
    config = nested()
    text = json.dumps(config.dump())
    again = ModelConfig.load(json.loads(text), kinds=KINDS)
    assert again == config
    assert type(again) is Deep.Config
    assert again.layers[1].first.rates == (0.1, 1.0)
    assert again.dump() == config.dump()
    assert json.loads(text)["layers"][1]["first"] == {"kind": "layer", "size": 7, "rates": [0.1, 1.0]}


@pytest.mark.parametrize("seed", range(20))
def test_round_trip_of_random_trees(seed):
    draw = random.Random(seed)

    def tree(depth):
        if depth == 0 or draw.random() < 0.3:
            return Layer.Config(size=draw.randrange(9), rates=tuple(draw.random() for _ in range(draw.randrange(3))))
        return Deep.Config(
            depth=draw.choice([AUTO, 5]),
            layers=tuple(tree(depth - 1) for _ in range(draw.randrange(3))),
            named={str(n): tree(depth - 1) for n in range(draw.randrange(3))},
            first=tree(depth - 1),
            scale=draw.uniform(-1e300, 1e300),
        )

    config = tree(4)
    again = ModelConfig.load(json.loads(config.to_json()), kinds=KINDS)
    assert (again, hash(again), again.to_json()) == (config, hash(config), config.to_json())


def test_an_experiment_round_trips_with_real_hooks():
    config = toy.duel(hooks=(Ema.Config(decay=0.9), EarlyStop.Config(metric="dev/loss", patience=7)))
    again = Experiment.Config.load(json.loads(config.to_json()), kinds=toy.KINDS)
    assert again == config
    assert again.sha256() == config.sha256()
    assert again.hooks[1].patience == 7


def test_hash_and_equality_follow_the_fields():
    assert nested() == nested()
    assert hash(nested()) == hash(nested())
    assert len({nested(), nested(), nested().derive(depth=4)}) == 2
    assert Layer.Config() != Deep.Config()
    assert FrozenMap({"a": 1, "b": 2}) == FrozenMap({"b": 2, "a": 1})
    assert hash(FrozenMap({"a": 1, "b": 2})) == hash(FrozenMap({"b": 2, "a": 1}))


def test_json_is_canonical():
    one, other = Deep.Config(sizes={"a": (1,), "b": ()}), Deep.Config(sizes={"b": (), "a": (1,)})
    assert one.to_json() == other.to_json()
    assert " " not in one.to_json()
    assert list(json.loads(one.to_json())) == sorted(json.loads(one.to_json()))
    assert Layer.Config(rates=(1,)).to_json() == Layer.Config(rates=(1.0,)).to_json()


def test_nothing_can_be_changed():
    config = nested()
    before = config.to_json()
    with pytest.raises(ValidationError, match="frozen"):
        config.depth = 5
    with pytest.raises(ValidationError, match="frozen"):
        del config.depth
    with pytest.raises(TypeError):
        config.named["a"] = Layer.Config()
    assert isinstance(config.layers, tuple)
    assert isinstance(config.sizes["x"], tuple)
    given = {"a": Layer.Config()}
    held = Deep.Config(named=given)
    given["b"] = Layer.Config()
    assert list(held.named) == ["a"]
    assert config.to_json() == before


def test_derive_reaches_everywhere_and_leaves_the_original():
    config = nested()
    changed = config.derive(
        **{"layers.1.first.size": 9, "named.a.size": 8, "named.b": Layer.Config(size=6), "sizes.x": [3], "note": "n"}
    )
    assert changed.layers[1].first.size == 9
    assert changed.layers[0] is config.layers[0]
    assert (changed.named["a"].size, changed.named["b"].size, changed.sizes["x"]) == (8, 6, (3,))
    assert config == nested()
    assert config.derive() == config


def test_derive_changes_dependent_fields_together_in_any_order():
    short = toy.config(epochs=5)
    for changes in ({"epochs": 0, "steps": 7}, {"steps": 7, "epochs": 0}):
        changed = short.derive(**changes)
        assert (changed.epochs, changed.steps) == (0, 7)


def test_derive_can_replace_a_part_and_then_reach_into_the_new_one():
    changed = toy.config().derive(
        **{"hooks": ["ema", "early_stop"], "hooks.0.decay": 0.5, "hooks.1.patience": 9, "seed": 3}
    )
    assert (changed.hooks[0].decay, changed.hooks[1].patience, changed.seed) == (0.5, 9, 3)
    last = nested().derive(**{"first.size": 5, "first": Layer.Config(size=1)})
    assert last.first.size == 1


def test_derive_makes_a_new_part_where_a_kind_is_among_its_changes():
    """Whether there was none before, or one of another kind, in whatever order its fields come."""
    config = toy.config()
    for changes in ({"initialize.kind": "xavier", "initialize.gain": 4.0}, {"initialize": "xavier"}):
        for order in (changes, dict(reversed(changes.items()))):
            assert config.derive(**order).initialize.kind_name() == "xavier"
    assert config.derive(**{"initialize.gain": 4.0, "initialize.kind": "xavier"}).initialize.gain == 4
    once = config.derive(**{"initialize.kind": "he", "initialize.slope": 0.25, "initialize.bias": 0.1})
    again = once.derive(**{"initialize.kind": "xavier"})
    assert (again.initialize.kind_name(), again.initialize.bias) == ("xavier", 0)  # nothing of the old one is kept
    same = once.derive(**{"initialize.kind": "he", "initialize.bias": 0.2})  # of that kind already
    assert (same.initialize.slope, same.initialize.bias) == (0.25, 0.2)
    slow = config.derive(**{"optimizers.model.kind": "sgd", "optimizers.model.lr": 0.2})
    assert slow.optimizers["model"].to_json() != config.optimizers["model"].to_json()
    for changes, message in (
        ({"initialize.gain": 4.0}, "Experiment.Config.initialize: an initializer config needs its kind, a name"),
        ({"initialize.kind": "xaver"}, "no initializer of kind 'xaver'; did you mean 'xavier'?"),
        ({"initialize.kind": "he", "initialize.gain": 2.0}, "initialize has no field 'gain'"),
    ):
        with pytest.raises(ConfigError) as caught:
            config.derive(**changes)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dept": 1}, "dept: Deep.Config has no field 'dept'; did you mean 'depth'?"),
        ({"first.sice": 1}, "first.sice: Layer.Config has no field 'sice'; did you mean 'size'?"),
        ({"named.c.size": 1}, "named.c.size: no entry 'c'; known: a"),
        ({"layers.7": 1}, "layers.7: expected an index below 2, got '7'"),
        ({"layers.².size": 1}, "layers.².size: expected an index below 2, got '²'"),
        ({"depth.x": 1}, "depth.x: 3 has no field 'x'; it is a plain value"),
        ({"first.size": "4"}, "Layer.Config.size: input should be a valid integer (got '4')"),
        ({"scale": float("nan")}, "Deep.Config.scale: input should be a finite number (got nan)"),
    ],
)
def test_derive_refuses_in_one_line(changes, message):
    with pytest.raises(ConfigError) as caught:
        nested().derive(**changes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sise": 3}, "Layer.Config has no field 'sise'; did you mean 'size'?"),
        ({"size": "3"}, "Layer.Config.size: input should be a valid integer (got '3')"),
        ({"size": True}, "Layer.Config.size: input should be a valid integer (got True)"),
        ({"size": 3.0}, "Layer.Config.size: input should be a valid integer (got 3.0)"),
        ({"rates": (True,)}, "Layer.Config.rates.0: input should be a valid number (got True)"),
        ({"rates": "0.5"}, "Layer.Config.rates: input should be a valid tuple (got '0.5')"),
        ({"rates": (float("inf"),)}, "Layer.Config.rates.0: input should be a finite number (got inf)"),
    ],
)
def test_construction_is_strict(fields, message):
    with pytest.raises(ConfigError) as caught:
        Layer.Config(**fields)
    assert str(caught.value) == message
    with pytest.raises(ConfigError) as caught:
        Layer.Config.load(fields)
    assert str(caught.value) == message


def test_missing_positional_and_several_problems():
    class Needs(Config):
        a: int
        b: str = ""

    with pytest.raises(ConfigError, match=r"Needs.a is required and was not given$"):
        Needs()
    with pytest.raises(ConfigError, match=r"takes keyword arguments only \(got \(3,\)\)"):
        Needs(3)
    with pytest.raises(ConfigError, match=r"\(and 1 more\)$"):
        Needs(a="x", b=3)


def test_a_wrong_role_is_named():
    with pytest.raises(ConfigError, match=r"Deep.Config.first: expected a model config, got Ema.Config\(decay=0.5\)"):
        Deep.Config(first=Ema.Config(decay=0.5))
    with pytest.raises(ConfigError, match="expected kind layer, got 'deep'"):
        Layer.Config.load({"kind": "deep"})


def test_a_kind_may_be_given_by_name():
    assert HookConfig.load("ema") == Ema.Config()
    assert toy.config(hooks=["ema"]).hooks == (Ema.Config(),)
    with pytest.raises(ConfigError, match="no hook of kind 'emma'; did you mean 'ema'"):
        HookConfig.load("emma")
    with pytest.raises(ConfigError) as caught:
        HookConfig.load("journal")  # a file of the room that holds no config
    assert "did you mean 'journal'" not in str(caught.value)


ATTACKS = [
    "os.system",
    "os",
    "posix",
    "subprocess",
    "builtins.eval",
    "netsmith.engine.hooks.ema",
    "engine.hooks.ema",
    "..ema",
    "../ema",
    "hooks/ema",
    "/etc/passwd",
    "ema.py",
    "__init__",
    "_private",
    "ema\x00",
    "",
    "__import__('os').system('true')",
]


@pytest.mark.parametrize("kind", [*ATTACKS, 3, None, ["ema"], {"kind": "ema"}, True])
@pytest.mark.parametrize("base", [HookConfig, OptimizerConfig, ModelConfig])
def test_a_kind_is_never_an_import_path(base, kind):
    before = set(sys.modules)
    with pytest.raises(ConfigError) as caught:
        base.load({"kind": kind})
    assert set(sys.modules) == before
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_hostile_experiment_executes_nothing(tmp_path):
    program = f"""
import json, sys
from netsmith.core.errors import ConfigError
from netsmith.core.roles import HookConfig, ModelConfig, OptimizerConfig
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event in ("os.system", "subprocess.Popen", "os.exec") else 0)
for kind in {ATTACKS!r}:
    for base in (HookConfig, ModelConfig, OptimizerConfig):
        for data in (kind, {{"kind": kind}}, {{"kind": kind, "command": "touch {tmp_path}/pwned"}}):
            try:
                base.load(json.loads(json.dumps(data)))
            except ConfigError:
                continue
            raise SystemExit(f"accepted {{data}}")
assert not seen, seen
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert not (tmp_path / "pwned").exists()


def test_text_names_the_class_and_only_what_differs():
    assert repr(Layer.Config(size=3)) == "Layer.Config(size=3)"
    assert str(Layer.Config()) == "Layer.Config()"
    assert Layer.Config.kind_name() == "layer"
    assert Ema.Config.kind_name() == "ema"


def test_build_gives_the_config_itself():
    config = Deep.Config(note="x", depth=3)
    assert config.build().config is config
    assert Deep.Config.builds() is Deep

    with pytest.raises(ConfigError, match=r"Deep\.Config\.depth is left to the data .'auto'.; set it, or build"):
        Deep.Config().build()

    class Inner:
        class Config(ModelConfig):
            role: ClassVar[str] = "model"

    with pytest.raises(ConfigError, match="inside a function; move its class to the file's top"):
        Inner.Config().build()


def test_frozen_map_is_a_mapping():
    held = FrozenMap({"a": 1})
    assert (dict(held), len(held), repr(held), held.get("z")) == ({"a": 1}, 1, "{'a': 1}", None)
    with pytest.raises(TypeError):
        held["b"] = 2
    with pytest.raises(AttributeError):
        held.extra = 1
    with pytest.raises(ConfigError, match="sizes"):
        Deep.Config(sizes={1: (2,)})


def test_a_field_that_came_later_is_said_only_where_it_is_used():
    before = {"kind": "distillation", "model": "mlp", "teacher": "mlp", "task": "classify"}
    config = MethodConfig.load(before)
    assert "cache" not in config.dump()
    assert config.dump(whole=True)["cache"] is False
    used = config.derive(cache=True)
    assert used.dump()["cache"] is True
    assert MethodConfig.load(used.dump()) == used != config
    assert MethodConfig.load(config.dump()) == config
    assert "cache" not in config.to_json()
