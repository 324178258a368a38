"""Each loss beside its definition written as loops over examples, in double precision."""

import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from netsmith.methods._feature_losses import (
    angle_losses,
    attention_losses,
    distance_losses,
    hint_losses,
    similarity_losses,
)

BATCHWISE = {"similarity": similarity_losses, "distance": distance_losses, "angle": angle_losses}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def norm(values):
    return math.sqrt(sum(value * value for value in values))


def huber(x, y):
    gap = abs(x - y)
    return gap * gap / 2 if gap <= 1 else gap - 0.5


def naive_attention(student, teacher):
    losses = []
    for one, other in zip(student.tolist(), teacher.tolist(), strict=True):
        maps = []
        for channels in (one, other):
            height, width = len(channels[0]), len(channels[0][0])
            q = [sum(c[y][x] ** 2 for c in channels) for y in range(height) for x in range(width)]
            maps.append([value / norm(q) for value in q])
        losses.append(norm([a - b for a, b in zip(*maps, strict=True)]))
    return losses


def naive_similarity(student, teacher):
    grams = []
    for rows in (student.flatten(1).tolist(), teacher.flatten(1).tolist()):
        gram = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in rows] for one in rows]
        grams.append([[value / norm(row) for value in row] for row in gram])
    size = len(grams[0])
    return sum((grams[0][i][j] - grams[1][i][j]) ** 2 for i in range(size) for j in range(size)) / size**2


def naive_distance(student, teacher):
    found = []
    for rows in (student.flatten(1).tolist(), teacher.flatten(1).tolist()):
        pairs = {
            (i, j): norm([a - b for a, b in zip(rows[i], rows[j], strict=True)])
            for i, j in itertools.permutations(range(len(rows)), 2)
        }
        mean = sum(pairs.values()) / len(pairs)
        found.append({pair: value / mean for pair, value in pairs.items()})
    return sum(huber(found[0][pair], found[1][pair]) for pair in found[0]) / len(found[0])


def naive_angle(student, teacher):
    found = []
    for rows in (student.flatten(1).tolist(), teacher.flatten(1).tolist()):
        angles = {}
        for i, j, k in itertools.permutations(range(len(rows)), 3):
            first = [a - b for a, b in zip(rows[i], rows[j], strict=True)]
            second = [a - b for a, b in zip(rows[k], rows[j], strict=True)]
            dot = sum(a * b for a, b in zip(first, second, strict=True))
            angles[i, j, k] = dot / (norm(first) * norm(second))
        found.append(angles)
    return sum(huber(found[0][triple], found[1][triple]) for triple in found[0]) / len(found[0])


def test_attention_is_its_definition():
    student, teacher = draw(4, 3, 5, 2), draw(4, 6, 5, 2, seed=1)
    assert attention_losses(student, teacher).tolist() == pytest.approx(naive_attention(student, teacher), abs=1e-12)
    assert attention_losses(student, -3 * student).abs().max() <= 1e-15  # neither sign nor size counts


def test_attention_of_another_size_is_interpolated():
    student, teacher = draw(2, 3, 4, 4), draw(2, 5, 8, 8, seed=1)
    half = F.interpolate(teacher.square().sum(1, keepdim=True), size=(4, 4), mode="bilinear").sqrt()
    assert attention_losses(student, teacher).tolist() == pytest.approx(naive_attention(student, half), abs=1e-12)


@pytest.mark.parametrize("spread", [0.3, 1.0, 30.0])  # the last one has relations on both sides of Huber's corner
@pytest.mark.parametrize(
    ("losses", "naive"),
    [(similarity_losses, naive_similarity), (distance_losses, naive_distance), (angle_losses, naive_angle)],
)
def test_batchwise_losses_are_their_definitions(losses, naive, spread):
    student, teacher = draw(7, 2, 3), draw(7, 11, seed=1)
    student[0] *= spread
    found = losses(student, teacher)
    assert found.shape == (7,)
    assert found.mean().item() == pytest.approx(naive(student, teacher), abs=1e-12)


def test_hubers_corner_is_crossed_by_the_distances_above():
    student, teacher = draw(7, 2, 3), draw(7, 11, seed=1)
    student[0] *= 30
    ratios = [torch.pdist(x.flatten(1)) / torch.pdist(x.flatten(1)).mean() for x in (student, teacher)]
    gaps = (ratios[0] - ratios[1]).abs()
    assert (gaps > 1).any()
    assert (gaps < 1).any()


def test_the_hint_loss_is_half_the_squared_distance():
    guided, hint = draw(3, 2, 4, 4), draw(3, 2, 4, 4, seed=1)
    want = [sum((a - b) ** 2 for a, b in zip(x.tolist(), y.tolist(), strict=True)) / 2
            for x, y in zip(guided.flatten(1), hint.flatten(1), strict=True)]  # fmt: skip
    assert hint_losses(guided, hint).tolist() == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("losses", [attention_losses, hint_losses, *BATCHWISE.values()])
def test_gradients(losses):
    student, teacher = draw(5, 2, 3, 3), draw(5, 2, 3, 3, seed=1)
    assert torch.autograd.gradcheck(lambda x: losses(x, teacher), student.requires_grad_())


@pytest.mark.parametrize("name", BATCHWISE)
def test_what_they_do_not_see(name):
    """Rotation and scale for the relations; for similarity rotation and scale of all examples."""
    student = draw(6, 8)
    turn = torch.linalg.qr(draw(8, 8, seed=2)).Q
    assert BATCHWISE[name](student, 2.5 * student @ turn).abs().max() <= 1e-14
    assert BATCHWISE[name](student, draw(6, 8, seed=1)).min() > 1e-4


@pytest.mark.parametrize("losses", [attention_losses, *BATCHWISE.values()])
def test_dead_and_equal_features_give_finite_gradients(losses):
    student, teacher = draw(5, 2, 3, 3), draw(5, 2, 3, 3, seed=1)
    student[0] = 0
    student[1] = student[2]
    student.requires_grad_()
    total = losses(student, teacher).sum()
    (gradient,) = torch.autograd.grad(total, student)
    assert total.isfinite()
    assert gradient.abs().max() < 100
    one = draw(1, 2, 3, 3).requires_grad_()  # a batch of one has no relations
    (gradient,) = torch.autograd.grad(losses(one, teacher[:1]).sum(), one)
    assert gradient.isfinite().all()


def test_the_batchwise_losses_do_not_add_up_over_parts():
    student, teacher = draw(8, 4), draw(8, 4, seed=1)
    for losses in BATCHWISE.values():
        parts = torch.cat([losses(a, b) for a, b in zip(student.split(4), teacher.split(4), strict=True)])
        assert abs(parts.mean() - losses(student, teacher).mean()) > 1e-3
