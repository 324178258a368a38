import csv
import os
from pathlib import Path

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.data._series import read_series, windows
from netsmith.data.airline import Airline
from netsmith.data.sunspots import Sunspots

HERE = Path(os.environ.get("NETSMITH_DATA", "/nowhere")) / "timeseries"


def loaded(source, split):
    count = source.spec.split(split).size
    return source.load(split, torch.arange(count))


@pytest.mark.parametrize("config", [Sunspots.Config(twin=True), Sunspots.Config(twin=True, step="month", horizon=6)])
def test_no_forecast_value_of_a_later_part_is_in_an_earlier_one(config):
    source = config.build()
    names = source.splits()
    made = [source.spec.split(name).made.split() for name in names]
    first, last = ([words[2] for words in made], [words[4] for words in made])
    assert sorted(first) == first
    assert all(end < start for end, start in zip(last, first[1:], strict=False))
    series = torch.cat([loaded(source, name).targets[:, 0] for name in names])
    for name in names:
        batch = loaded(source, name)
        assert batch.inputs.shape == (len(batch.targets), config.window, 1)
        assert torch.equal(batch.inputs[1:, -1, 0], batch.targets[:-1, 0])  # the next example sees what this forecast
    assert len(series) == source.spec.split("train").size + sum(source.spec.split(n).size for n in names[1:])


def test_the_parts_of_weigend_huberman_and_rumelhart():
    spec = Sunspots.Config(twin=True).build().spec
    assert [(split.name, split.size) for split in spec.splits] == [
        ("train", 189), ("dev", 20), ("test", 35), ("late", 24),
    ]  # fmt: skip
    assert spec.split("test").made == "forecasts of 1921 to 1955"


def test_the_drive_beside_a_value_is_that_of_the_step_after_it():
    drive = torch.arange(10.0)[:, None] * 10
    seen, following = windows(torch.arange(10.0), window=3, horizon=1, exogenous=drive)
    assert seen[0].tolist() == [[0, 10], [1, 20], [2, 30]]
    assert following[0].tolist() == [3]
    month = Airline.Config(twin=True, exogenous="month", window=12).build()
    batch = loaded(month, "train")
    assert batch.inputs[0, 11].tolist()[1:] == pytest.approx([1, 0], abs=1e-6)  # after December comes January
    assert month.spec.inputs.columns == ("value", "month_cos", "month_sin")


def test_a_window_that_leaves_no_example_is_refused():
    with pytest.raises(ConfigError, match="window=10 and horizon=21: dev of sunspots has 20 steps and no example"):
        Sunspots.Config(twin=True, window=10, horizon=21).build()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "x.csv, row 1: has the columns ['a', 'b']; expected 'time' and 'value'"),
        ("time,value\n1,2\n2,many\n", "x.csv, row 3: holds ['2', 'many']; expected a number as 'value'"),
        ("time,value\n1,nan\n", "expected a number"),
        ("time,value\n1\n", "expected a number"),
        ("", "expected 'time' and 'value'"),
    ],
)
def test_a_damaged_series_names_its_line(text, says):
    with pytest.raises(DataError) as caught:
        read_series(text.encode(), "x.csv", time="time", value="value")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("config", "file", "count"),
    [
        (Sunspots.Config(window=1), "sunspot.year.csv", 289),
        (Sunspots.Config(window=1, step="month"), "monthly-sunspots.csv", 2820),
        (Airline.Config(window=1), "airline-passengers.csv", 144),
    ],
)
@pytest.mark.skipif(not HERE.is_dir(), reason="the official files are not at hand")
def test_the_official_files(config, file, count):
    source = config.build()
    with (HERE / file).open() as lines:
        rows = list(csv.reader(lines))[1:]
    assert len(rows) == count
    series = torch.cat([loaded(source, name).targets[:, 0] for name in source.splits()])
    wanted = torch.tensor([float(row[-1]) for row in rows])[1 : 1 + len(series)]
    assert torch.equal(series, wanted)
    assert loaded(source, "train").inputs[0, 0, 0] == float(rows[0][-1])
    assert len(series) == (279 if file.startswith("sunspot") else count - 1)  # the years after 1979 are in no part
