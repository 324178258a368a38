import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.data.augment.crop import Crop
from netsmith.data.class_subset import ClassSubset
from netsmith.data.digits import Digits
from netsmith.data.distorted_mnist import DistortedMnist
from netsmith.data.imagenet import ImageNet
from netsmith.data.sine_tasks import SineTasks

DIGITS = Digits.Config(twin=True, batch=16, augment=(Crop.Config(padding=1),))


def test_the_examples_are_those_of_the_classes_with_new_labels():
    whole = DIGITS.build()
    source = ClassSubset.Config(data=DIGITS, classes=(7, 2)).build()
    assert source.spec.outputs.names == ("7", "2")
    for split in ("train", "dev", "test"):
        every = whole.load(split, torch.arange(whole.spec.split(split).size))
        rows = [at for at, label in enumerate(every.targets.tolist()) if label in (7, 2)]
        ours = source.load(split, torch.arange(source.spec.split(split).size))
        assert torch.equal(ours.inputs, every.inputs[rows])
        assert [(7, 2)[label] for label in ours.targets.tolist()] == every.targets[rows].tolist()
    augmented = source.load("train", torch.arange(8), key=5)
    assert not torch.equal(augmented.inputs, source.load("train", torch.arange(8)).inputs)
    assert torch.equal(augmented.inputs, source.load("train", torch.arange(8), key=5).inputs)


def test_a_small_training_set_has_as_many_of_each_class_and_all_to_be_judged_on():
    config = ClassSubset.Config(data=DIGITS, classes=(0, 1, 4), per_class=9)
    source, other = config.build(), config.derive(seed=1).build()
    labels = source.load("train", torch.arange(27)).targets
    assert torch.bincount(labels).tolist() == [9, 9, 9]
    assert source.spec.split("train").size == 27
    assert source.spec.split("test").size == config.derive(per_class=0).build().spec.split("test").size
    assert source.spec.split("train").sha256 != other.spec.split("train").sha256
    assert source.spec.split("test").sha256 == other.spec.split("test").sha256


def test_more_examples_than_a_class_has_are_refused_by_its_name():
    whole = Digits.Config().build()
    labels = whole.load("train", torch.arange(whole.spec.split("train").size)).targets
    sizes = torch.bincount(labels).tolist()
    few, many = (sizes.index(pick(sizes)) for pick in (min, max))
    config = ClassSubset.Config(data=Digits.Config(), classes=(many, few), per_class=sizes[many])
    message = rf"per_class={sizes[many]}, but class '{few}' has {sizes[few]} training examples; .* {sizes[few]}: set"
    with pytest.raises(ConfigError, match=message):
        config.build()
    assert config.derive(per_class=sizes[few]).build().spec.split("train").size == 2 * sizes[few]


def test_what_is_drawn_anew_keeps_its_class():
    data = DistortedMnist.Config(twin=True, fresh=True, batch=10)
    source = ClassSubset.Config(data=data, classes=(3, 5)).build()
    one, two = (source.load("train", torch.arange(10), key=key) for key in (1, 2))
    assert not torch.equal(one.inputs, two.inputs)
    assert torch.equal(one.targets, two.targets)


def test_wrong_classes_are_refused():
    with pytest.raises(ConfigError, match="10 is none of digits's 10 classes"):
        ClassSubset.Config(data=DIGITS, classes=(1, 10)).build()
    with pytest.raises(ConfigError, match="two or more that differ"):
        ClassSubset.Config(data=DIGITS, classes=(1, 1))
    with pytest.raises(ConfigError, match="takes some classes"):
        ClassSubset.Config(data=SineTasks.Config(), classes=(0, 1)).build()


def test_mixup_is_refused():
    with pytest.raises(ConfigError, match="mixup"):
        ClassSubset.Config(data=DIGITS.derive(mixup=0.2), classes=(0, 1)).build()


def test_what_is_looked_at_several_times_is_so_in_a_subset():
    data = ImageNet.Config(twin=True, image_size=16, test_crops=10)
    whole, source = data.build(), ClassSubset.Config(data=data, classes=(3, 1)).build()
    labels = whole.load("test", torch.arange(whole.spec.split("test").size)).targets
    rows = torch.nonzero((labels == 3) | (labels == 1))[:, 0]
    assert source.spec.split("test").size == len(rows)
    at = torch.arange(len(rows)).flip(0)
    seen, expected = source.judged("test", at), whole.judged("test", rows.flip(0))
    assert seen.inputs.each.shape[1] == 10
    assert torch.equal(seen.inputs.each, expected.inputs.each)
    assert torch.equal(torch.tensor([3, 1])[seen.targets], expected.targets)
    assert torch.equal(seen.indices, at)
    digits = ClassSubset.Config(data=DIGITS, classes=(7, 2)).build()
    at = torch.arange(5)
    one, two = digits.judged("dev", at), digits.load("dev", at)
    assert all(torch.equal(getattr(one, n), getattr(two, n)) for n in ("inputs", "targets", "keys", "indices"))
