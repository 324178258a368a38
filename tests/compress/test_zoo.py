"""Every network of the catalogue is cut by half, with proof."""

import pytest

from netsmith.compress.prune import prune
from netsmith.core.errors import UnsupportedError
from netsmith.core.registry import recipes
from netsmith.verify.subject import Subject


@pytest.mark.parametrize("name", recipes())
def test_the_product_of_a_recipe_is_cut(name):
    subject = Subject.of(name, steps=2)
    network = subject.network(subject.engine())
    example = network.module_example(2)
    if name == "naive_bayes_digits":  # counts per pixel and class: inputs and outputs only
        with pytest.raises(UnsupportedError, match="no channel of this network can be cut"):
            prune(network.module, example, ratio=0.5)
        return
    small, log = prune(network.module, example, ratio=0.5)
    assert log.proof[0]["error"] <= 1e-12
    before, after = (sum(p.numel() for p in net.parameters()) for net in (network.module, small))
    assert after < 0.7 * before
