"""ImageNet's layouts on small folders, crops against Pillow and slices, the test by ten crops through a method."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.core.roles import SourceConfig
from netsmith.data import imagenet
from netsmith.data._pictures import cut_picture, resize_picture
from netsmith.data.imagenet import ImageNet
from netsmith.engine.batch import Batch, Views
from netsmith.engine.feed import evaluation_batches
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.engine.ranks import Ranks
from netsmith.layers.preprocess import Preprocess
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.tasks.classify import Classify
from netsmith.tasks.regress import Regress

WNIDS = ("n01440764", "n02012849", "n03126707", "n02123045")
SORTED = sorted(WNIDS)


def picture(seed, width=70, height=50):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")  # a reader goes by the contents, and PNG keeps the pixels
    return buffer.getvalue(), pixels


def write(base, *, flat=None, words=None):
    for number, wnid in enumerate(WNIDS):
        for index in range(6):
            path = base / "train" / wnid / f"{wnid}_{index}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(10 * number + index)[0])
        for index in range(2):
            name = f"ILSVRC2012_val_{2 * number + index + 1:08}.JPEG"
            path = base / "val" / name if flat else base / "val" / wnid / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(100 + 2 * number + index, width=50, height=64)[0])
    if flat:
        (base / flat[0]).write_text(flat[1])
    if words:
        (base / words).write_text(
            "n01440764 tench, Tinca tinca\nn02012849 crane\nn02123045 tabby, tabby cat\nn03126707 crane\n"
            "n09999999 a class that is not here\n"
        )


BY_NUMBER = "".join(
    f"ILSVRC2012_val_{2 * number + index + 1:08}.JPEG {SORTED.index(wnid)}\n"
    for number, wnid in enumerate(WNIDS)
    for index in range(2)
)
BY_WNID = "ImageId,PredictionString\n" + "".join(
    f"ILSVRC2012_val_{2 * number + index + 1:08},{wnid} 1 2 30 40 {wnid} 5 6 70 80\n"
    for number, wnid in enumerate(WNIDS)
    for index in range(2)
)


@pytest.mark.parametrize(
    ("flat", "words"),
    [
        (None, "synset_words.txt"),
        (("val.txt", BY_NUMBER), "LOC_synset_mapping.txt"),
        (("LOC_val_solution.csv", BY_WNID), None),
    ],
    ids=["folders", "val.txt", "csv"],
)
def test_every_layout_gives_the_same_examples(tmp_path, flat, words):
    write(tmp_path, flat=flat, words=words)
    source = ImageNet.Config(path=str(tmp_path), image_size=32, dev=0.2).build()
    assert {split.name: split.size for split in source.spec.splits} == {"train": 20, "dev": 4, "test": 8}
    names = ("tench", "crane (n02012849)", "tabby", "crane (n03126707)") if words else tuple(SORTED)
    assert source.spec.outputs.names == names
    by_wnid = dict(zip(source._pictures["test"].files, source.load("test", torch.arange(8)).targets, strict=True))
    for name, label in by_wnid.items():
        number = (int(name.rpartition("_")[2].partition(".")[0]) - 1) // 2
        assert SORTED[int(label)] == WNIDS[number]
    assert torch.bincount(source.load("train", torch.arange(20)).targets).tolist() == [5] * 4


def pillow_crop(pixels, shorter, top, left, size):
    height, width = pixels.shape[:2]
    whole = tuple(shorter * side // min(height, width) for side in (width, height))  # torchvision cuts off, too
    resized = Image.fromarray(pixels).resize(whole, Image.Resampling.BILINEAR)
    return np.asarray(resized)[top : top + size, left : left + size].transpose(2, 0, 1)


def test_crops_are_those_of_pillow(tmp_path):
    write(tmp_path)
    config = ImageNet.Config(
        path=str(tmp_path), image_size=28, test_crops=10, test_scales=(256, 384), train_scale=(320, 480), dev=0.0
    )
    source = config.build()
    assert SourceConfig.load(config.dump()) == config
    pixels = picture(103, width=50, height=64)[1]
    index = [name.endswith("00000004.JPEG") for name in source._pictures["test"].files].index(True)
    views = source.judged("test", torch.tensor([index])).inputs
    assert isinstance(views, Views)
    assert views.each.shape == (1, 20, 3, 28, 28)
    wanted = []
    for shorter, longer in ((32, 40), (48, 61)):  # 256 and 384 for crops of 224; 50 x 64, cut off as torchvision
        ends = [(0, 0), (0, shorter - 28), (longer - 28, 0), (longer - 28, shorter - 28)]
        five = [
            pillow_crop(pixels, shorter, top, left, 28)
            for top, left in [*ends, ((longer - 28) // 2, (shorter - 28) // 2)]
        ]
        wanted += [*five, *(crop[:, :, ::-1] for crop in five)]
    raw = torch.from_numpy(np.stack(wanted).copy())
    assert torch.equal(views.each[0], Preprocess(source.spec.inputs)(raw))
    assert torch.equal(source.raw("test", torch.tensor([index]))[0], raw[4])  # the middle, at the first scale
    # Training: the scale and the place are a function of the key.
    at = torch.arange(12)
    batch = source.load("train", at, key=5)
    keys = example_keys(5, at)
    for index in range(12):
        name = source._pictures["train"].files[index]
        wnid, number = name.split("/")[1], int(name.rpartition("_")[2].partition(".")[0])
        u = keyed_uniform(keys[index : index + 1], 3, stream="imagenet")[0].tolist()
        shorter = round((320 + int(161 * u[0])) * 28 / 224)
        longer = 70 * shorter // 50
        crop = pillow_crop(
            picture(10 * WNIDS.index(wnid) + number)[1],
            shorter,
            int(u[1] * (shorter - 27)),
            int(u[2] * (longer - 27)),
            28,
        )
        wanted = Preprocess(source.spec.inputs)(torch.from_numpy(crop.copy())[None])[0]
        assert torch.equal(batch.inputs[index], wanted)
    assert not torch.equal(batch.inputs, source.load("train", at, key=6).inputs)


def evaluated(source, method):
    metrics = method.metrics()
    batches = evaluation_batches(
        source, method.act, split="test", seed=0, ranks=Ranks(), move=lambda batch: batch.map(lambda part: part)
    )
    method.eval()
    with torch.no_grad():
        for batch in batches:
            method.evaluate(batch, metrics)
    return {name: metric.compute() for name, metric in metrics.items()}


def test_answers_to_ten_crops_are_averaged():
    config = ImageNet.Config(twin=True, image_size=24, test_crops=10, evaluation_batch=30)
    source = config.build()
    model = SmallCNN.Config(in_channels=3, num_classes=10, channels=(8, 8))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = Supervised.Config(model=model, task=Classify.Config(within=(5,))).build(spec=source.spec)
    nn.init.normal_(list(method.model.parameters())[-2], std=3.0, generator=torch.Generator().manual_seed(1))
    got = evaluated(source, method)
    with torch.no_grad():
        views = source.judged("test", torch.arange(200))
        answers = torch.stack([method.model(views.inputs.each[:, view]) for view in range(10)])
        mean = answers.double().softmax(-1).mean(0)  # (200, 10)
    right = (mean.argmax(1) == views.targets).double().mean()
    best = (mean.topk(5).indices == views.targets[:, None]).any(1).double().mean()
    assert got["accuracy"] == pytest.approx(float(right))
    assert got["top5"] == pytest.approx(float(best))
    assert got["loss"] == pytest.approx(float(-mean[torch.arange(200), views.targets].log().mean()), rel=1e-5)
    one = evaluated(config.derive(test_crops=1).build(), method)
    assert one["loss"] > got["loss"]  # the mean of several answers is never worse than they are on average
    for small in (7, 200):
        again = evaluated(config.derive(evaluation_batch=small).build(), method)
        assert again["accuracy"] == got["accuracy"]


def test_a_task_that_does_not_average_says_so():
    with pytest.raises(UnsupportedError, match=r"the task Regress does not average.*test_crops=1"):
        Regress.Config().build().average(torch.zeros(2, 10, 1))
    views = Batch(inputs=Views(torch.zeros(4, 10, 3)), targets=torch.zeros(4))
    assert len(views) == 4
    assert isinstance(views.map(lambda part: part[:2]).inputs, Views)


def test_the_twin_keeps_the_contract():
    source = ImageNet.Config(twin=True, image_size=24, batch=16).build()
    at = torch.tensor([5, 0, 77])
    batch = source.load("train", at)
    assert batch.inputs.shape == (3, 3, 24, 24)
    assert torch.equal(batch.inputs, Preprocess(source.spec.inputs)(source.raw("train", at)))
    assert torch.equal(source.load("train", at[1:], key=2).inputs, source.load("train", at, key=2).inputs[1:])
    assert len({split.sha256 for split in source.spec.splits}) == 3


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="path is empty"):
        ImageNet.Config().build()
    with pytest.raises(ConfigError, match="the shorter first"):
        ImageNet.Config(train_scale=(480, 256))
    write(tmp_path)
    (tmp_path / "train" / WNIDS[0] / f"{WNIDS[0]}_0.JPEG").write_bytes(b"no picture")
    source = ImageNet.Config(path=str(tmp_path), image_size=32, dev=0.0).build()
    with pytest.raises(DataError, match=r"n01440764_0\.JPEG: is not a picture"):
        source.load("train", torch.arange(24))


def test_a_list_tells_names_with_dots_apart_and_knows_folders_called_by_numbers(tmp_path):
    for folder in ("0", "1", "10"):
        (tmp_path / "train" / folder).mkdir(parents=True)
        (tmp_path / "train" / folder / "a.png").write_bytes(picture(1)[0])
    (tmp_path / "val").mkdir()
    for name in ("p.1.png", "p.1.ppm", "p.2.png", "p.3.png"):
        (tmp_path / "val" / name).write_bytes(picture(2)[0])
    (tmp_path / "val.txt").write_text(
        "p.1.png 1\np.1.ppm 0\np.2 10\np.3.png 2\n"
    )  # 10 is a folder, 2 is the last of the three
    source = ImageNet.Config(path=str(tmp_path), image_size=32, dev=0.0).build()
    assert source.load("test", torch.arange(4)).targets.tolist() == [1, 0, 2, 2]


def test_the_hash_changes_with_the_size_of_a_file(tmp_path):
    write(tmp_path)
    config = ImageNet.Config(path=str(tmp_path), image_size=32, dev=0.0)
    before = {split.name: split.sha256 for split in config.build().spec.splits}
    (tmp_path / "train" / WNIDS[0] / f"{WNIDS[0]}_0.JPEG").write_bytes(picture(0, width=80)[0])
    after = {split.name: split.sha256 for split in config.build().spec.splits}
    assert before["train"] != after["train"]
    assert before["test"] == after["test"]


def test_each_picture_is_decoded_once(tmp_path, monkeypatch):
    write(tmp_path)
    source = ImageNet.Config(path=str(tmp_path), image_size=32, test_crops=10, dev=0.0).build()
    names = []
    decode = imagenet.decode_picture
    monkeypatch.setattr(imagenet, "decode_picture", lambda data, **kw: names.append(kw["name"]) or decode(data, **kw))
    at = torch.tensor([2, 5])
    batch = source.judged("test", at)
    assert len(names) == 2
    plain = source.load("test", at)
    assert torch.equal(batch.targets, plain.targets)
    assert torch.equal(batch.keys, plain.keys)
    assert torch.equal(batch.indices, plain.indices)


def test_of_a_long_thin_picture_only_the_window_is_computed(tmp_path):
    write(tmp_path)
    (tmp_path / "train" / WNIDS[0] / f"{WNIDS[0]}_0.JPEG").write_bytes(picture(0, width=3_000_000, height=1)[0])
    source = ImageNet.Config(path=str(tmp_path), image_size=32, dev=0.0).build()
    at = torch.tensor([source._pictures["train"].files.index(f"train/{WNIDS[0]}/{WNIDS[0]}_0.JPEG")])
    for key in (None, 1):  # whole it would have 111,000,000 columns, or more
        assert source.load("train", at, key=key).inputs.shape == (1, 3, 32, 32)
    pixels = torch.from_numpy(picture(0, width=400, height=5)[1]).permute(2, 0, 1)
    window = cut_picture(pixels, (37, 2960), (32, 32), top=2, left=1464)
    whole = resize_picture(pixels, (37, 2960))[:, 2:34, 1464:1496]
    assert int((window.int() - whole.int()).abs().max()) <= 1
