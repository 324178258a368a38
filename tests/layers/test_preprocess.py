"""From raw arrays, texts and rows to what a network sees."""

import io
import math

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Inputs, Step
from netsmith.layers.preprocess import Preprocess, resize_window
from netsmith.layers.rows import encode_rows
from netsmith.layers.tokenize import encode, tokenize

IMAGE = Inputs(
    kind="image",
    shape=(3, 6, 5),
    dtype="uint8",
    low=0.0,
    high=255.0,
    preprocessing=(
        Step(name="resize", size=(6, 5)),
        Step(name="scale", high=255.0),
        Step(name="normalize", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)),
    ),
)
TABLE = Inputs(
    kind="table",
    shape=(5,),
    columns=("age", "color", "height"),
    categories=((), ("blue", "green", "red"), ()),
    preprocessing=(Step(name="normalize", mean=(30.0, 0, 0, 0, 1.5), std=(10.0, 1, 1, 1, 0.5)),),
)
TEXT = Inputs(
    kind="text",
    shape=(4,),
    dtype="int64",
    preprocessing=(Step(name="tokenize", pattern=r"\w+", lowercase=True),),
    vocabulary=("<pad>", "<unk>", "a", "cat"),
    max_length=4,
)


class Both(nn.Module):
    """One graph with both kinds: an export costs seconds."""

    def __init__(self):
        super().__init__()
        self.image, self.table = Preprocess(IMAGE), Preprocess(TABLE)

    def forward(self, image, table):
        return self.image(image), self.table(table)


@pytest.mark.filterwarnings("ignore")
def test_exports_to_onnx_with_equal_answers():
    image = torch.randint(0, 256, (3, 3, 6, 5), dtype=torch.uint8)
    table = torch.tensor([[20.0, 0, 1.0], [math.nan, 2, 2.0], [40.0, -1, math.nan]])
    module, batch, buffer = Both().eval(), torch.export.Dim("batch"), io.BytesIO()
    shapes = ({0: batch}, {0: batch})
    torch.onnx.export(module, (image, table), dynamo=True, verbose=False, dynamic_shapes=shapes).save(buffer)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    image, table = image[[0, 1, 2, 0]], table[[2, 1, 0, 1]]  # another batch size than the one exported
    answers = session.run(None, dict(zip(names, (image.numpy(), table.numpy()), strict=True)))
    for answer, wanted in zip(answers, module(image, table), strict=True):
        assert np.abs(answer - wanted.numpy()).max() < 1e-6


def test_image_steps():
    raw = torch.randint(0, 256, (2, 3, 6, 5), dtype=torch.uint8)
    wanted = (raw.numpy() / 255 - np.array([0.1, 0.2, 0.3])[:, None, None]) / np.array([0.5, 0.6, 0.7])[:, None, None]
    assert np.abs(Preprocess(IMAGE)(raw).numpy() - wanted).max() < 1e-6
    assert torch.equal(Preprocess(IMAGE)(raw.float()), Preprocess(IMAGE)(raw))
    assert not Preprocess(IMAGE).state_dict()


def test_resize_and_gray_are_those_of_pillow():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 31, 3), dtype=np.uint8))
    inputs = Inputs(
        kind="image", shape=(1, 16, 16), preprocessing=(Step(name="resize", size=(16, 16)), Step(name="gray"))
    )
    got = Preprocess(inputs)(torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None])
    wanted = np.asarray(picture.resize((16, 16), Image.Resampling.BILINEAR).convert("L"), dtype=float)
    assert np.abs(got[0, 0].numpy() - wanted).max() <= 1.5  # Pillow rounds to whole numbers twice


def test_table_categories_become_one_hot():
    rows = [{"age": 20, "color": "red", "height": "2.0"}, {"age": "40", "color": "blue", "height": 1}]
    got = Preprocess(TABLE)(encode_rows(rows, TABLE))
    assert got.tolist() == [[-1, 0, 0, 1, 1], [1, 1, 0, 0, -1]]
    lenient = encode_rows([{"age": None, "color": "pink", "height": ""}], TABLE, missing="mean", unknown="zeros")
    assert Preprocess(TABLE)(lenient).tolist() == [[0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"age": 1, "color": "red"}, "row 2: has no column 'height'"),
        (
            {"age": 1, "color": "red", "height": 1, "hight": 2},
            "row 2: has a column 'hight' unknown to training; did you mean",
        ),
        ({"age": "old", "color": "red", "height": 1}, "row 2: column 'age' holds 'old', expected a number"),
        ({"age": math.nan, "color": "red", "height": 1}, "row 2: column 'age' holds nan, which is empty"),
        ({"age": math.inf, "color": "red", "height": 1}, "row 2: column 'age' holds inf, expected a finite number"),
        ({"age": True, "color": "red", "height": 1}, "row 2: column 'age' holds True, expected a number"),
        ({"age": 10**400, "color": "red", "height": 1}, "expected a finite number"),
        ({"age": [1], "color": "red", "height": 1}, "column 'age' holds \\[1\\], expected a number"),
        (
            {"age": 1, "color": "pink", "height": 1},
            "holds 'pink', which training never saw; expected one of 'blue', 'green'",
        ),
        ([1, 2, 3], "row 2: expected values by column name, got list"),
    ],
)
def test_wrong_rows_are_named(row, message):
    with pytest.raises(DataError, match=message):
        encode_rows([{"age": 1, "color": "red", "height": 1}, row], TABLE)


def test_text():
    assert tokenize("A Cat, a dog", TEXT.preprocessing[0]) == ["a", "cat", "a", "dog"]
    assert encode(["A cat <pad>", "a dog a cat a cat"], TEXT).tolist() == [[2, 3, 1, 0], [2, 1, 2, 3]]
    assert torch.equal(Preprocess(TEXT)(encode(["a"], TEXT)), torch.tensor([[2, 0, 0, 0]]))
    with pytest.raises(DataError, match="text 2 has no token"):
        encode(["a", " , "], TEXT)
    with pytest.raises(DataError, match="text 1: expected a text, got int"):
        encode([3], TEXT)
    with pytest.raises(ConfigError, match="not a regular expression"):
        tokenize("a", Step(name="tokenize", pattern="("))
    with pytest.raises(ConfigError, match="no tokenizer"):
        encode(["a"], IMAGE)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match=r"expected images of shape \(batch, 3, height, width\), got \(2, 1, 6, 5\)"):
        Preprocess(IMAGE)(torch.zeros(2, 1, 6, 5))
    with pytest.raises(DataError, match=r"expected rows of shape \(batch, 3\), got \(2, 4\)"):
        Preprocess(TABLE)(torch.zeros(2, 4))
    with pytest.raises(ConfigError, match="columns and categories make 5 numbers"):
        Preprocess(TABLE.derive(shape=(6,), preprocessing=()))
    with pytest.raises(ConfigError, match="normalize has 3 means"):
        Preprocess(IMAGE.derive(shape=(1, 6, 5)))
    plain = Inputs(kind="image", shape=(1, 4, 4))
    with pytest.raises(DataError, match=r"expected images of \(4, 4\) pixels, got \(5, 4\)"):
        Preprocess(plain)(torch.zeros(1, 1, 5, 4))


def test_the_middle_is_cut_out_of_an_image_in_proportion():
    step = Step(name="resize", size=(32, 32), shorter=37)
    inputs = Inputs(kind="image", shape=(3, 32, 32), preprocessing=(step, Step(name="scale", high=255.0)))
    raw = torch.randint(0, 256, (2, 3, 50, 90), generator=torch.Generator().manual_seed(0)).float()
    scaled = torch.nn.functional.interpolate(raw, size=(37, 66), mode="bilinear", antialias=True)
    assert torch.equal(Preprocess(inputs)(raw), scaled[:, :, 2:34, 17:49] / 255)
    ready = raw[:, :, :32, :32]
    assert torch.equal(Preprocess(inputs)(ready), ready / 255)
    assert resize_window((600, 300), (224, 224), shorter=256) == ((512, 256), 144, 16)
    assert "shorter" not in Step(name="resize", size=(32, 32)).dump()  # as it was before there was one
    with pytest.raises(ConfigError, match="shorter is for resize, and at least the height and the width"):
        Step(name="resize", size=(32, 32), shorter=30)
