import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.data.digits import Digits
from netsmith.data.imagenet import ImageNet
from netsmith.data.mr_polarity import MrPolarity
from netsmith.data.permuted_tasks import PermutedTasks

CONFIG = PermutedTasks.Config(data=Digits.Config(twin=True, batch=50), tasks=3, epochs_each=2, seed=4)


def test_each_task_has_the_same_images_with_their_pixels_in_its_own_order():
    source = CONFIG.build()
    inner = source.inner
    size = inner.spec.split("train").size
    plain = inner.load("train", torch.arange(20)).inputs
    seen = []
    for task in range(3):
        batch = source.load("train", torch.arange(20) + task * size)
        assert torch.equal(batch.targets, inner.load("train", torch.arange(20)).targets)
        moved = batch.inputs.flatten(1)
        order = source.permutations[task]
        assert sorted(order.tolist()) == list(range(64))
        assert torch.equal(moved, plain.flatten(1)[:, order])
        assert torch.equal(
            source.raw("train", torch.arange(20) + task * size).flatten(1),
            inner.raw("train", torch.arange(20)).flatten(1)[:, order],
        )
        seen.append(order)
    assert torch.equal(seen[0], torch.arange(64))
    assert not torch.equal(seen[1], seen[2])
    assert torch.equal(CONFIG.build().permutations, source.permutations)
    assert not torch.equal(CONFIG.derive(seed=5).build().permutations[1], source.permutations[1])


def test_the_order_is_a_pure_function_of_seed_and_epoch_and_goes_from_task_to_task():
    source = CONFIG.build()
    size = source.inner.spec.split("train").size
    tasks = [
        {int(at) // size for batch in source.order("train", seed=1, epoch=epoch) for at in batch} for epoch in range(7)
    ]
    assert tasks == [{0}, {0}, {1}, {1}, {2}, {2}, {0}]
    again = CONFIG.build().order("train", seed=1, epoch=3)
    assert all(map(torch.equal, source.order("train", seed=1, epoch=3), again))
    assert not torch.equal(source.order("train", seed=2, epoch=3)[0], again[0])
    judged = torch.cat(list(source.order("test", seed=0, epoch=0)))
    assert judged.tolist() == list(range(source.spec.split("test").size))


def test_one_example_has_another_key_in_each_task():
    source = CONFIG.build()
    size = source.inner.spec.split("train").size
    assert source.load("train", torch.tensor([3, 3 + size]), key=7).keys.unique().numel() == 2


def test_what_is_looked_at_several_times_has_its_pixels_in_the_tasks_order_each_time():
    data = ImageNet.Config(twin=True, image_size=16, test_crops=10)
    source = PermutedTasks.Config(data=data, tasks=2, seed=4).build()
    size = source.inner.spec.split("test").size
    expected = source.inner.judged("test", torch.tensor([2, 1]))
    seen = source.judged("test", torch.tensor([2, 1 + size]))
    views, plain = seen.inputs.each, expected.inputs.each
    assert views.shape == plain.shape == (2, 10, 3, 16, 16)
    assert torch.equal(views[0], plain[0])
    assert torch.equal(views[1].flatten(2), plain[1].flatten(2)[..., source.permutations[1]])
    assert torch.equal(seen.targets, expected.targets)
    one, two = (take("dev", torch.tensor([0, 30])) for take in (CONFIG.build().judged, CONFIG.build().load))
    assert all(torch.equal(getattr(one, n), getattr(two, n)) for n in ("inputs", "targets", "keys", "indices"))


def test_what_has_no_pixels_is_refused_and_twin_reaches_the_images():
    with pytest.raises(ConfigError, match="pixels of images"):
        PermutedTasks.Config(data=MrPolarity.Config(twin=True)).build()
    inner = PermutedTasks.Config(data=Digits.Config(), twin=True).build().inner
    assert inner.spec.split("train").size == Digits.Config(twin=True).build().spec.split("train").size
    assert CONFIG.build().spec.split("dev").sha256 != CONFIG.derive(seed=5).build().spec.split("dev").sha256
    with pytest.raises(ConfigError, match="no split 'validation'"):
        CONFIG.build().order("validation", seed=0, epoch=0)
