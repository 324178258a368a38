import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.methods.auxiliary_heads import AuxiliaryHeads
from netsmith.models.vision.googlenet import GoogLeNet
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.tasks.classify import Classify

SPEC = Spec(
    dataset="test",
    inputs=Inputs(kind="image", shape=(1, 28, 28)),
    outputs=Outputs(kind="classes", names=("a", "b", "c")),
)
FACTS = {"in_channels": 1, "image_size": 28, "num_classes": 3}
ROW = (2, 2, 4, 1, 2, 2)
MODEL = GoogLeNet.Config(
    stem="small",
    stem_channels=(4, 4, 6),
    stage3=(ROW,),
    stage4=(ROW, ROW, ROW),
    stage5=(ROW,),
    auxiliary=True,
    auxiliary_channels=(4, 8),
    dropout=0.0,
    auxiliary_dropout=0.0,
    **FACTS,
)


@pytest.mark.parametrize("weight", [0.3, 0.0])
def test_the_loss_is_the_weighted_sum_over_all_heads(weight):
    torch.manual_seed(0)
    method = AuxiliaryHeads.Config(model=MODEL, task=Classify.Config(), weight=weight).build(spec=SPEC).double()
    weights = torch.tensor([1.0, 2.0, 0.0, 0.5], dtype=torch.float64)
    batch = Batch(torch.randn(4, 1, 28, 28).double(), torch.tensor([0, 2, 1, 1]), weights=weights)
    loss = method._loss(batch)
    logits, others = method.model.auxiliary_logits(batch.inputs)
    assert len(others) == 2

    def cost(one):
        return -(one.log_softmax(1)[range(4), batch.targets] * weights).sum()

    torch.testing.assert_close(
        loss.total, cost(logits) + weight * (cost(others[0]) + cost(others[1])), rtol=0, atol=1e-12
    )
    assert loss.weight == float(weights.sum())
    # the product is the network alone: its answer does not run the heads
    torch.testing.assert_close(method.product()(batch.inputs), logits, rtol=0, atol=1e-12)
    learned = torch.autograd.grad(loss.total, list(method.parameters()), allow_unused=True)
    reached = {name for (name, _), one in zip(method.named_parameters(), learned, strict=True) if one.abs().sum() > 0}
    assert any(name.startswith("model.auxiliary") for name in reached) is (weight > 0)


def test_a_network_without_heads_is_refused():
    message = (
        r"auxiliary_heads trains networks with auxiliary heads, and this .* has none; set method.model.auxiliary=true"
    )
    for model in (MODEL.derive(auxiliary=False), LeNet5.Config(num_classes=3)):
        with pytest.raises(ConfigError, match=message):
            AuxiliaryHeads.Config(model=model, task=Classify.Config()).build(spec=SPEC)
