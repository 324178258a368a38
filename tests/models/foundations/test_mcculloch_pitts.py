import itertools

import pytest
import torch

from netsmith.core.errors import ConfigError, UnknownNameError
from netsmith.models.foundations.mcculloch_pitts import GATES, McCullochPitts, fires, gate

TRUTH = {
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "nand": lambda a, b: not (a and b),
    "nor": lambda a, b: not (a or b),
    "xor": lambda a, b: a != b,
    "xnor": lambda a, b: a == b,
    "not": lambda a: not a,
}


@pytest.mark.parametrize("name", GATES)
def test_each_gate_has_its_truth_table(name):
    count = TRUTH[name].__code__.co_argcount
    cases = list(itertools.product((0, 1), repeat=count))
    answers = gate(name).build()(torch.tensor(cases)).flatten().tolist()
    assert answers == [float(TRUTH[name](*case)) for case in cases]


def test_only_xor_and_xnor_take_two_layers():
    assert {name for name, layers in GATES.items() if len(layers) > 1} == {"xor", "xnor"}


def test_a_weight_low_enough_is_an_input_that_silences():
    excited, threshold = 3, 2  # the paper's unit: fires if at least 2 of 3 are active, and no inhibitory one is
    weights = torch.tensor([[1.0] * excited + [float(threshold - excited - 1)] * 2])
    cases = torch.tensor(list(itertools.product((0.0, 1.0), repeat=5)))
    expected = (cases[:, :3].sum(1) >= threshold) & ~cases[:, 3:].any(1)
    assert torch.equal(fires(cases, weights, torch.tensor([2.0]))[:, 0].bool(), expected)


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'nand'"):
        gate("nandd")
    with pytest.raises(ConfigError, match="layer 1: expected a threshold and 2 weights for each unit"):
        McCullochPitts.Config(weights=(((1.0,), (1.0,)), ((1.0, 1.0, 1.0),)), thresholds=((1.0, 1.0), (1.0,)))
    with pytest.raises(ConfigError, match="1 layers of weights, but 2 of thresholds"):
        McCullochPitts.Config(weights=(((1.0,),),), thresholds=((1.0,), (1.0,)))
    with pytest.raises(ConfigError, match="layer 0"):
        McCullochPitts.Config(weights=((),), thresholds=((),))
