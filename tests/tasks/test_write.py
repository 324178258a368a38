"""Written texts: losses against a loop, figures against counts by hand, exact under any split."""

import math

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Outputs
from netsmith.layers.writing import Judged
from netsmith.tasks.write import Write

OUTPUTS = Outputs(kind="tokens", names=("<pad>", "<unk>", "<eos>", "a", "b"))


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(3)
    output = torch.randn(4, 7, 5, generator=generator, dtype=torch.float64)
    target = torch.randint(2, 5, (4, 7), generator=generator)
    target[3, 4:] = -100
    target[1, 1:] = -100
    return output, target


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0, 0.0], dtype=torch.float64)])
def test_the_loss_is_a_sum_over_tokens_packed_or_not(drawn, smoothing, weights):
    output, target = drawn
    task = Write.Config(label_smoothing=smoothing).build()
    logs = output.log_softmax(-1)
    total, weight = 0.0, 0.0
    for row in range(4):
        share = 1.0 if weights is None else float(weights[row])
        for place in range(7):
            if (token := int(target[row, place])) >= 0:
                nats = -(1 - smoothing) * logs[row, place, token] - smoothing * logs[row, place].mean()
                total += share * float(nats)
                weight += share
    found = task.loss(output, target, weights)
    assert (float(found.total), float(found.weight)) == pytest.approx((total, weight), rel=1e-12)
    packed = task.of_packed(output[target != -100], target, weights)
    assert (float(packed.total), float(packed.weight)) == pytest.approx((total, weight), rel=1e-12)


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0, 0.0], dtype=torch.float64)])
def test_smoothing_spreads_over_what_is_possible(drawn, weights):
    output, target = drawn
    places = torch.arange(28).view(4, 7)
    output[places % 3 == 0, 0] = -torch.inf
    output[..., 1] = -torch.inf
    output.requires_grad_()
    found = Write.Config(label_smoothing=0.2).build().loss(output, target, weights)
    found.total.backward()
    total = 0.0
    for row, place in (target >= 0).nonzero().tolist():
        logits = [value for value in output[row, place].tolist() if value > -math.inf]
        whole = math.log(sum(map(math.exp, logits)))
        nats = 0.8 * (whole - output[row, place, target[row, place]].item())
        nats += sum(0.2 / len(logits) * (whole - value) for value in logits)
        total += nats if weights is None else nats * float(weights[row])
    assert found.total.item() == pytest.approx(total, rel=1e-12)
    assert output.grad.isfinite().all()


def test_figures_are_exact_under_any_split(drawn):
    output, target = drawn
    written = torch.zeros(4, 9, dtype=torch.int64)
    written[:, :7] = target.clamp(min=0)
    written[2, 3] = 3 if written[2, 3] == 4 else 4
    whole = Write.Config().build().metrics()
    parts = [Write.Config().build().metrics() for _ in range(2)]
    for name, metric in whole.items():
        metric.update(Judged(output, written, OUTPUTS), target)
        for part, rows in zip(parts, (slice(0, 1), slice(1, 4)), strict=True):
            part[name].update(Judged(output[rows], written[rows], OUTPUTS), target[rows])
        parts[0][name].merge(parts[1][name])
        assert parts[0][name].compute() == pytest.approx(metric.compute(), rel=1e-12)
    assert whole["exact"].compute() == 0.75
    logs = output.log_softmax(-1)
    nats = [-float(logs[b, t, target[b, t]]) for b in range(4) for t in range(7) if target[b, t] >= 0]
    assert whole["perplexity"].compute() == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-12)


def test_a_text_ends_at_its_end():
    task = Write.Config().build()
    shown = task.decode(torch.tensor([[3, 4, 2, 0], [2, 0, 0, 0], [4, 4, 4, 4]]), OUTPUTS)
    assert [row["tokens"] for row in shown] == [["a", "b"], [], ["b"] * 4]
    with pytest.raises(ConfigError, match="wrote token 7, the schema names 5"):
        task.decode(torch.tensor([[7]]), OUTPUTS)


def test_shapes_and_settings_that_do_not_fit_are_refused(drawn):
    output, target = drawn
    with pytest.raises(DataError, match=r"one token \(int64\) per place"):
        Write.Config().build().loss(output, target[:, :3])
    with pytest.raises(ConfigError, match="figures names one twice"):
        Write.Config(figures=("exact", "exact"))
