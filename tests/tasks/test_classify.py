import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Outputs
from netsmith.engine.task import UNLABELED
from netsmith.tasks.classify import Classify, ConfusionMatrix

N, K = 60, 4


@pytest.fixture
def answers():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(N, K, dtype=torch.float64, generator=generator)
    return logits, torch.randint(K, (N,), generator=generator)


def in_pieces(make, output, target, cuts):
    """The figure when every piece is seen by a metric of its own and all are merged."""
    whole = make()
    for start, stop in itertools.pairwise([0, *cuts, len(output)]):
        part = make()
        part.update(output[start:stop], target[start:stop])
        whole.merge(part)
    return whole.compute()


def test_the_loss_is_cross_entropy_by_its_definition(answers):
    logits, labels = answers
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    q = np.full((N, K), 0.1 / K)
    q[np.arange(N), labels.numpy()] += 0.9
    total, weight = Classify.Config(label_smoothing=0.1).build().loss(logits, labels)
    assert total.item() == pytest.approx(-(q * np.log(p)).sum(), abs=1e-10)
    assert weight == N


def test_smoothing_spread_over_all_classes_is_smoothing_off_the_true_class_at_another_rate(answers):
    logits, labels = answers
    eps_off = 0.15  # eps' / (K - 1) on each wrong class equals eps / K everywhere at eps' = eps (K - 1) / K
    q = torch.full((N, K), eps_off / (K - 1), dtype=torch.float64)
    q[torch.arange(N), labels] = 1 - eps_off
    ours = Classify.Config(label_smoothing=eps_off * K / (K - 1)).build().loss(logits, labels).total
    assert ours.item() == pytest.approx(-(q * logits.log_softmax(1)).sum().item(), abs=1e-10)


@pytest.mark.parametrize("eps", [0.15, 0.75])
def test_smoothing_over_the_others_by_its_definition(answers, eps):
    logits, labels = answers
    q = torch.full((N, K), eps / (K - 1), dtype=torch.float64)
    q[torch.arange(N), labels] = 1 - eps
    wanted = -(q * logits.log_softmax(1)).sum().item()
    task = Classify.Config(label_smoothing=eps, smoothing_over="others").build()
    assert task.loss(logits, labels).total.item() == pytest.approx(wanted, abs=1e-10)
    mixed = 0.7 * F.one_hot(labels, K).double() + 0.3 * F.one_hot(labels.roll(1), K).double()
    q = (1 - eps) * mixed + eps / (K - 1) * (1 - mixed)
    assert task.loss(logits, mixed).total.item() == pytest.approx(-(q * logits.log_softmax(1)).sum().item(), abs=1e-9)
    assert "smoothing_over" not in Classify.Config(label_smoothing=eps).dump()


def test_smoothing_that_turns_the_labels_around_is_refused(answers):
    with pytest.raises(ConfigError, match=r"label_smoothing=0.8 over the other 3 of 4 .* at most 0.75"):
        Classify.Config(label_smoothing=0.8, smoothing_over="others").build().loss(*answers)


def test_classes_as_probabilities_and_weights(answers):
    logits, labels = answers
    task = Classify.Config(label_smoothing=0.2).build()
    hard = task.loss(logits, labels)
    soft = task.loss(logits, F.one_hot(labels, K).float())
    assert soft.total.item() == pytest.approx(hard.total.item(), abs=1e-9)
    weights = torch.rand(N, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    parts = [task.loss(logits[a:b], labels[a:b], weights[a:b]) for a, b in ((0, 7), (7, 60))]
    whole = task.loss(logits, labels, weights)
    assert sum(part.total.item() for part in parts) == pytest.approx(whole.total.item(), abs=1e-10)
    assert sum(float(part.weight) for part in parts) == pytest.approx(weights.sum().item(), abs=1e-12)


@pytest.mark.parametrize("eps", [0.0, 0.2])
def test_an_example_without_a_label_counts_nowhere(answers, eps):
    logits, classes = answers
    has = torch.arange(N) % 3 == 0
    hidden = classes.where(has, UNLABELED)
    task = Classify.Config(label_smoothing=eps, within=(2,)).build()
    weights = torch.rand(N, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for given in (None, weights):
        alone = task.loss(logits[has], classes[has], None if given is None else given[has])
        found = task.loss(logits, hidden, given)
        assert found.total.item() == pytest.approx(alone.total.item(), rel=1e-12)
        assert float(found.weight) == pytest.approx(float(alone.weight), rel=1e-12)
        assert float(found.weight) == pytest.approx(float(task.weights(hidden, given).sum()), rel=1e-12)
    nothing = torch.full((N,), UNLABELED)
    assert [float(value) for value in task.loss(logits, nothing)] == [0.0, 0.0]
    for make in (
        *({name: lambda name=name: task.metrics()[name] for name in task.metrics()}.values()),
        ConfusionMatrix,
    ):
        alone = in_pieces(make, logits[has], classes[has], [])
        assert in_pieces(make, logits, hidden, [7, 30]) == pytest.approx(alone, rel=1e-12)
        assert math.isnan(in_pieces(make, logits, nothing, []))


def test_where_all_have_labels_nothing_is_other_than_without_the_mark(answers):
    logits, classes = answers
    logits = logits.float()
    weights = torch.rand(N, generator=torch.Generator().manual_seed(1))
    task = Classify.Config().build()
    plain, held = task.loss(logits, classes), task.loss(logits, classes, weights)
    assert torch.equal(plain.total, F.cross_entropy(logits, classes, reduction="sum"))
    assert plain.weight == N
    assert isinstance(plain.weight, float)  # a tensor would round what methods multiply by it
    assert torch.equal(held.total, (F.cross_entropy(logits, classes, reduction="none") * weights).sum())
    assert torch.equal(torch.as_tensor(held.weight), weights.sum())
    uniform = (
        Classify.Config().build().loss(torch.zeros(126, 10), torch.arange(126).where(torch.arange(126) < 10, -100))
    )
    assert float(uniform.total / uniform.weight) == pytest.approx(math.log(10), rel=1e-6)


def test_half_precision_is_summed_in_single(answers):
    logits, labels = answers
    coarse = logits.bfloat16()
    loss = Classify.Config().build().loss(coarse, labels).total
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(F.cross_entropy(coarse.float(), labels, reduction="sum").item(), rel=1e-6)


@pytest.mark.parametrize("cuts", [[], [30], [1, 2, 3, 50], list(range(1, N)), [0, 0, 60]])
def test_figures_are_the_same_under_any_split(answers, cuts):
    logits, labels = answers
    task = Classify.Config(label_smoothing=0.1).build()
    assert list(task.metrics()) == ["accuracy", "loss"]
    right = int((logits.argmax(1) == labels).sum())
    assert in_pieces(lambda: task.metrics()["accuracy"], logits, labels, cuts) == right / N
    want = F.cross_entropy(logits, labels).item()  # without smoothing
    assert in_pieces(lambda: task.metrics()["loss"], logits, labels, cuts) == pytest.approx(want, rel=1e-13)
    whole = in_pieces(ConfusionMatrix, logits, labels, [])
    assert in_pieces(ConfusionMatrix, logits, labels, cuts) == whole


@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 50]])
def test_the_share_within_the_likeliest_is_scikit_learns(answers, cuts):
    sklearn = pytest.importorskip("sklearn.metrics")
    logits, labels = answers
    task = Classify.Config(within=(2, 3)).build()
    assert list(task.metrics()) == ["accuracy", "top2", "top3", "loss"]
    for count in (2, 3):
        want = sklearn.top_k_accuracy_score(labels, logits, k=count, labels=range(logits.shape[1]))
        assert in_pieces(lambda count=count: task.metrics()[f"top{count}"], logits, labels, cuts) == pytest.approx(want)
    assert "within" not in Classify.Config().dump()


def test_of_equal_logits_the_first_counts_and_what_is_no_number_never():
    metric = Classify.Config(within=(2,)).build().metrics()["top2"]
    metric.update(torch.zeros(4, 4), torch.arange(4))
    assert metric.compute() == 0.5
    bad = Classify.Config(within=(4,)).build().metrics()["top4"]
    bad.update(torch.full((2, 4), float("nan")), torch.tensor([0, 3]))
    assert bad.compute() == 0.0
    with pytest.raises(DataError, match="expected one class"):
        metric.update(torch.zeros(2, 4), torch.zeros(2, 4))
    with pytest.raises(ConfigError, match="within"):
        Classify.Config(within=(1,))


def test_the_confusion_matrix_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(200, 6, generator=generator)
    logits[:, 4] = -9  # never predicted
    labels = torch.randint(4, (200,), generator=generator)  # 4 and 5 never true
    metric = ConfusionMatrix()
    metric.update(logits, labels)
    truth, answer = labels.numpy(), logits.argmax(1).numpy()
    assert metric.counts.tolist() == sklearn.confusion_matrix(truth, answer, labels=range(6)).tolist()
    assert metric.compute() == pytest.approx(sklearn.f1_score(truth, answer, average="macro", zero_division=0))
    precision, recall, f1, _ = sklearn.precision_recall_fscore_support(truth, answer, labels=range(6), zero_division=0)
    found = metric.per_class()
    for name, want in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert found[name].tolist() == pytest.approx(want.tolist(), abs=1e-15)


def test_nothing_seen_is_nan():
    assert all(math.isnan(metric.compute()) for metric in Classify.Config().build().metrics().values())
    assert math.isnan(ConfusionMatrix().compute())


def test_predictions_name_the_likeliest_classes():
    task = Classify.Config(top=2).build()
    output = torch.tensor([[0.0, 1.0, 2.0], [3.0, 3.0, -1.0]])
    first, second = task.decode(output, Outputs(kind="classes", names=("ant", "bee", "cat")))
    e = math.e
    assert (first["label"], first["index"]) == ("cat", 2)
    assert list(first["probabilities"]) == ["cat", "bee"]
    assert first["probabilities"]["bee"] == pytest.approx(e / (1 + e + e * e), abs=1e-12)
    assert second["label"] == "ant"  # equal: the first one, as argmax answers
    assert task.decode(output, Outputs(kind="classes", size=3))[0]["label"] == "2"
    impossible = torch.tensor([[0.0, -math.inf, 0.0]])
    assert Classify.Config().build().decode(impossible, Outputs(kind="classes"))[0]["probabilities"]["1"] == 0.0


def test_what_cannot_be_is_refused():
    task = Classify.Config().build()
    with pytest.raises(ConfigError, match="answers 3 classes, the schema names 2"):
        task.decode(torch.zeros(1, 3), Outputs(kind="classes", names=("a", "b")))
    with pytest.raises(DataError, match="not finite"):
        task.decode(torch.full((1, 3), math.inf), Outputs(kind="classes"))
    with pytest.raises(DataError, match="one class"):
        task.metrics()["accuracy"].update(torch.zeros(3, 3), torch.eye(3))
    with pytest.raises(ConfigError, match="label_smoothing"):
        Classify.Config(label_smoothing=1.0)
