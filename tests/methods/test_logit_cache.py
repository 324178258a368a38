import pytest
import torch

from netsmith.api.experiments import find
from netsmith.core.errors import UnsupportedError
from netsmith.data.augment.noise import Noise
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods._logit_cache import LogitCache, SharedAnswers, fingerprints
from netsmith.models.tabular.mlp import MLP
from netsmith.verify.subject import Cut, weights_sha256


def batch(indices, images):
    at = torch.tensor(indices)
    return Batch(images[at], indices=at)


def test_an_unchanged_example_is_not_asked_again():
    images = torch.randn(40, 3, 4, 4)
    cache, asked = LogitCache(), []

    def look(indices, source=images):
        one = batch(indices, source)

        def ask():
            asked.append(indices)
            return one.inputs.flatten(1)[:, :5] * 2

        return cache.look_up(one, ask)

    for indices in ([3, 1, 7], [30, 2], [7, 3]):
        assert torch.equal(look(indices), images[torch.tensor(indices)].flatten(1)[:, :5] * 2)
    assert asked == [[3, 1, 7], [30, 2]]
    look([7, 4])  # one unknown example: the whole batch is asked
    changed = images.clone()
    changed[3, 0, 0, 0] += 1e-6
    assert torch.equal(look([3, 1], changed), changed[[3, 1]].flatten(1)[:, :5] * 2)
    look([3, 1], changed)
    assert asked[2:] == [[7, 4], [3, 1]]
    assert (cache.asked, cache.answered) == (4, 2)
    again = LogitCache()
    again.restore(cache.state())
    assert torch.equal(again.look_up(batch([7, 30], images), lambda: pytest.fail("asked")), look([7, 30]))
    cache.clear()
    look([7])
    assert asked[-1] == [7]


def test_answers_of_several_elements_are_kept_and_other_lengths_refused():
    nodes = torch.randn(6, 4, 3)
    cache = LogitCache()
    first = cache.look_up(batch([1, 4], nodes), lambda: nodes[[1, 4]] * 2)
    assert torch.equal(cache.look_up(batch([4], nodes), lambda: pytest.fail("asked")), first[1:])
    with pytest.raises(UnsupportedError, match=r"cache=True: the teacher answers \(7, 3\) here and \(4, 3\) before"):
        cache.look_up(batch([0], torch.randn(6, 7, 3)), lambda: torch.randn(1, 7, 3))


def test_a_source_without_numbers_is_refused():
    with pytest.raises(UnsupportedError, match=r"cache=True.*does not number"):
        LogitCache().look_up(Batch(torch.zeros(2, 3)), lambda: torch.zeros(2, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.uint8, torch.int64, torch.bool])
def test_fingerprints_see_every_change_and_no_order(dtype):
    images = (torch.rand(4000, 2, 3, generator=torch.Generator().manual_seed(0)) * 200).to(dtype)
    if dtype == torch.bool:
        images = torch.arange(64)[:, None].bitwise_right_shift(torch.arange(6)).bitwise_and(1).bool()
    found = fingerprints(images)
    assert len(set(found.tolist())) == len({tuple(row) for row in images.flatten(1).tolist()})
    order = torch.randperm(len(images))
    assert torch.equal(fingerprints(images[order]), found[order])
    twice = fingerprints((images, images.flip(0)))  # a tree: which tensor is which counts
    assert not torch.equal(twice, fingerprints((images.flip(0), images)))


def experiment(*, teacher=None, shared=None, **changes):
    small = {
        "method.model": MLP.Config(hidden=(8,)),
        "method.guided": "hidden.0",
        "method.lambda_end": 1.0,
        "method.cache": False,
    }
    config = find("fitnet_mnist:kd").config.derive(**{"data.twin": True, "epochs": 3, **small, **changes})
    found = Experiment(config)
    found.method.adopt_teacher(teacher or found.method.teacher, shared=shared)
    return found


def run(**changes):
    engine = Engine(experiment(**changes))
    engine.fit()
    return engine


def test_a_run_with_it_is_the_run_without():
    with_it, without = run(**{"method.cache": True}), run()
    cache, batches = with_it.method.cache, len(with_it.source.order("train", seed=0, epoch=0))
    assert cache.asked >= batches
    assert cache.answered > 0
    assert cache.asked + cache.answered == 3 * batches
    ours, theirs = with_it.method.product().state_dict(), without.method.product().state_dict()
    assert max(float((ours[n].double() - theirs[n].double()).abs().max()) for n in ours) <= 1e-3


def test_under_augmentation_every_example_is_asked_again():
    engine = run(**{"method.cache": True, "data.augment": (Noise.Config(),)})
    assert engine.method.cache.answered == 0


def test_a_cut_run_remembers(tmp_path):
    at = len(experiment().source.order("train", seed=0, epoch=0)) + 3
    changes = {"method.cache": True, "checkpoint_every": at}
    whole = run(**changes)
    Cut.run(Engine(experiment(**changes), checkpoints=tmp_path, hooks=(Cut(at, after_save=True),)))
    resumed = Engine(experiment(**changes))
    resumed.restore(checkpoint.load_latest(tmp_path)[0])
    assert resumed.step == at
    resumed.fit()
    assert weights_sha256(resumed) == weights_sha256(whole)


def test_students_of_one_seed_share_answers_under_augmentation_bit_for_bit():
    shared, augmented = SharedAnswers(), {"data.augment": (Noise.Config(),)}
    first = run(shared=shared, **augmented)
    batches = first.step
    assert (shared.asked, shared.answered) == (batches, 0)
    assert weights_sha256(run(shared=shared, **augmented)) == weights_sha256(run(**augmented))
    assert (shared.asked, shared.answered) == (batches, batches)
    other = run(shared=shared, teacher=first.method.teacher, **augmented, **{"method.model": MLP.Config(hidden=(5,))})
    assert other.method.product().state_dict().keys() == first.method.product().state_dict().keys()
    assert (shared.asked, shared.answered) == (batches, 2 * batches)
    run(shared=shared, **augmented, seed=1, teacher=first.method.teacher)
    assert shared.answered == 2 * batches  # other images
    with pytest.raises(ValueError, match="another teacher's"):
        experiment(shared=shared, seed=1)


def test_answers_are_known_by_form_and_precision_too():
    shared, answers = SharedAnswers(), []

    def look(inputs):
        one = shared.look_up(Batch(inputs), lambda: torch.tensor([[float(len(answers))]]))
        answers.append(one)
        return one.item()

    assert look(torch.tensor([[5, 6, 0]])) == look(torch.tensor([[5, 6, 0]])) == 0
    assert look(torch.tensor([[5, 6, 0, 0]])) == 2
    assert look(torch.tensor([[5, 6, 0]], dtype=torch.uint8)) == 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert look(torch.tensor([[5, 6, 0]])) == 4


def test_shared_answers_stop_at_their_limit():
    images = torch.randn(8, 3)
    shared = SharedAnswers(limit=2 * 3 * 4)
    for _ in range(2):
        for at in ([0, 1], [2, 3]):
            assert torch.equal(shared.look_up(batch(at, images), lambda at=at: images[at] * 2), images[at] * 2)
    assert (shared.asked, shared.answered) == (3, 1)
    assert torch.equal(shared.look_up(batch([1, 0], images), lambda: images[[1, 0]]), images[[1, 0]])  # another order
