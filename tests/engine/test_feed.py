"""The order of batches: a pure function of seed and position, with any number of loader processes and ranks."""

import pickle  # noqa: TID251 - to prove that a batch and a metric survive the way between processes
from typing import NamedTuple

import pytest
import torch

import toy
from netsmith.core.errors import ConfigError, DataError, MissingExtraError, UnknownNameError
from netsmith.engine.batch import Batch, map_tensors
from netsmith.engine.feed import MapFeed, evaluation_batches
from netsmith.engine.ranks import Ranks
from netsmith.engine.source import cut_batches
from netsmith.engine.task import Ratio, figures, weighted


def feed(source=None, *, seed=0, workers=0, ranks=None, position=0):
    made = MapFeed(
        source or toy.Table.Config(batch=50, drop_last=False).build(),
        seed=seed,
        workers=workers,
        ranks=ranks or Ranks(),
        move=lambda batch: batch,
    )
    made.position = position
    return made


def take(source, count):
    try:
        return [next(source) for _ in range(count)]
    finally:
        source.close()


def same(one, other):
    return all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in ("inputs", "targets", "keys", "indices")
    )


def test_every_epoch_sees_every_example_once_in_another_order():
    batches = take(feed(), 15)
    assert [len(batch) for batch in batches] == [50, 50, 50, 50, 40] * 3
    epochs = [torch.cat([batch.indices for batch in batches[n : n + 5]]) for n in (0, 5, 10)]
    for epoch in epochs:
        assert torch.equal(epoch.sort().values, torch.arange(240))
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(take(feed(seed=1), 1)[0].indices, batches[0].indices)
    keys = torch.cat([batch.keys for batch in batches])
    assert len(keys.unique()) == 720  # another key for the same example in another epoch


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("position", [0, 3, 5, 7])
def test_batches_depend_on_the_position_alone(workers, position):
    wanted = take(feed(), 12)[position:]
    torch.manual_seed(position)
    found = take(feed(workers=workers, position=position), len(wanted))
    assert all(map(same, found, wanted))


@pytest.mark.parametrize("world", [2, 3, 7])
def test_ranks_share_every_batch(world):
    whole = take(feed(), 6)
    shares = []
    for rank in range(world):
        ranks = Ranks()
        ranks.rank, ranks.world = rank, world
        shares.append(take(feed(ranks=ranks), 6))
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert torch.equal(torch.cat([part.indices for part in parts]), batch.indices)
        assert torch.equal(torch.cat([part.inputs for part in parts]), batch.inputs)


def test_evaluation_is_plain_in_order_and_shared():
    source = toy.Table.Config().build()

    def indices(ranks):
        batches = evaluation_batches(source, None, split="dev", seed=0, ranks=ranks, move=lambda batch: batch)
        return [batch.indices.tolist() for batch in batches]

    whole = indices(Ranks())
    assert [index for batch in whole for index in batch] == list(range(240, 300))
    shares = []
    for rank in range(2):
        ranks = Ranks()
        ranks.rank, ranks.world = rank, 2
        shares.append(indices(ranks))
    assert [shares[0][0], shares[1][0], shares[0][1]] == whole


class Broken(toy.Table):
    """Fails at the third batch."""

    class Config(toy.Table.Config):
        pass

    error = DataError("9 cells, expected 8", "rows.csv", 7)

    def load(self, split, indices, *, key=None):
        if 17 in indices.tolist():
            raise self.error
        return super().load(split, indices, key=key)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "error",
    [Broken.error, UnknownNameError("label", "nort", ["north"]), MissingExtraError("PIL", "data")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_source_keeps_its_line(workers, error):
    source = Broken.Config().build()
    source.error = error
    with pytest.raises(type(error)) as caught:
        take(feed(source, workers=workers), 20)
    assert str(caught.value) == str(error)
    assert caught.value.exit_code == error.exit_code


def test_an_empty_split_is_an_error():
    source = toy.Table.Config().build()
    source.order = lambda split, *, seed, epoch: []
    with pytest.raises(ConfigError, match="the training split has no examples"):
        next(feed(source))


@pytest.mark.parametrize("drop_last", [False, True])
def test_cut_batches(drop_last):
    batches = cut_batches(10, 4, seed=3, epoch=1, drop_last=drop_last)
    assert [len(batch) for batch in batches] == ([4, 4] if drop_last else [4, 4, 2])
    again = cut_batches(10, 4, seed=3, epoch=1, drop_last=drop_last)
    assert all(map(torch.equal, batches, again))
    assert [len(b) for b in cut_batches(3, 4, seed=0, epoch=0, drop_last=drop_last)] == [3]
    counts = torch.zeros(5)
    for epoch in range(2000):  # the first place is uniform: 400 each, standard deviation 18
        counts[cut_batches(5, 5, seed=0, epoch=epoch, drop_last=False)[0][0]] += 1
    assert ((counts - 400).abs() < 80).all()


# -- batches ----------------------------------------------------------------------------------------------------------


def tree():
    x = torch.arange(12.0).reshape(6, 2)
    return Batch({"a": x, "b": (x + 1, torch.arange(6))}, [x * 2], torch.arange(6), None, torch.rand(6))


@pytest.mark.parametrize("parts", [1, 2, 4, 6, 9])
def test_pieces_are_the_whole(parts):
    batch = tree()
    pieces = batch.split(parts)
    assert len(pieces) == min(parts, 6)
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1
    assert torch.equal(torch.cat([piece.inputs["b"][1] for piece in pieces]), batch.inputs["b"][1])
    assert torch.equal(torch.cat([piece.targets[0] for piece in pieces]), batch.targets[0])
    assert all(piece.indices is None for piece in pieces)


def test_to_changes_floats_and_pictures_only():
    batch = Batch((torch.rand(2, 3, 4, 4), torch.rand(2, 3)), torch.tensor([1, 2]))
    moved = batch.to(torch.device("cpu"), torch.float64, torch.channels_last)
    assert moved.inputs[0].dtype == moved.inputs[1].dtype == torch.float64
    assert moved.inputs[0].is_contiguous(memory_format=torch.channels_last)
    assert moved.inputs[1].is_contiguous()
    assert moved.targets.dtype == torch.int64
    assert len(moved) == 2


def test_other_leaves_of_a_tree_stay():
    pair = NamedTuple("pair", [("x", torch.Tensor), ("y", int)])(torch.ones(2), 3)
    found = map_tensors(pair, lambda tensor: tensor * 2)
    assert (found.x.tolist(), found.y, type(found)) == ([2.0, 2.0], 3, type(pair))
    assert map_tensors({"a": None, "b": ["x", 3]}, lambda tensor: 1 / 0) == {"a": None, "b": ["x", 3]}
    again = pickle.loads(pickle.dumps(tree()))
    assert torch.equal(again.inputs["a"], tree().inputs["a"])


# -- metrics ----------------------------------------------------------------------------------------------------------


def test_a_ratio_is_exact_under_any_split():
    output = torch.randn(100, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def measure(output, target):
        return output.sum(), len(output)

    whole = Ratio(measure)
    whole.update(output, None)
    merged = Ratio(measure)
    for part in output.split(7):
        one = Ratio(measure)
        one.update(part, None)
        merged.merge(pickle.loads(pickle.dumps(one)))  # only sums travel, not the function
    assert merged.compute() == pytest.approx(whole.compute(), abs=1e-14)
    assert figures({"mean": merged}, "dev") == {"dev/mean": merged.compute()}
    assert str(Ratio(measure).compute()) == "nan"


def test_weighted_losses():
    losses = torch.tensor([1.0, 2.0, 4.0])
    assert weighted(losses, None) == (7.0, 3.0)
    total, weight = weighted(losses, torch.tensor([0.5, 0.0, 2.0]))
    assert (float(total), float(weight)) == (8.5, 2.5)
