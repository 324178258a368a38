"""``train --from RUN``: another run's network and weights on one's own data, noted, and resumed or used without it."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import netsmith
from netsmith.cli import main
from netsmith.core.errors import ConfigError
from netsmith.engine.checkpoint import tensors_sha256

TEACHER = {"data.twin": True, "epochs": 0, "steps": 4, "method.model.channels": [4, 6], "method.model.depth": 1}


def quiet(line):
    pass


def photos(folder):
    """Two classes of small gray pictures."""
    drawn = np.random.default_rng(0)
    for label, bright in (("dark", 60), ("light", 190)):
        (folder / label).mkdir(parents=True)
        for number in range(20):
            pixels = drawn.normal(bright, 20, (8, 8)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")


def test_a_run_begins_with_anothers_weights_on_other_labels_and_needs_it_no_more(tmp_path):
    start = netsmith.train("cnn_digits", sets=TEACHER, notice=quiet)
    photos(tmp_path / "photos")
    said = []
    sets = {
        "epochs": 2,
        "data.augment": [],
        "data.image_size": 8,
        "method.freeze": ["stem"],
        "optimizers.model.layer_decay": 2.6,
    }
    run = netsmith.train("image_classifier", data=tmp_path / "photos", start=start.path, sets=sets, notice=said.append)
    ours, theirs = run.network.module.state_dict(), start.network.module.state_dict()
    assert "begins with 2 of 3 layers of cnn_digits" in " ".join(said)
    assert ours["head.weight"].shape == (2, 6)
    kept = [name for name in ours if torch.equal(ours[name], theirs[name])] if ours.keys() == theirs.keys() else []
    assert [name for name in kept if name.startswith("stages.0")] == [n for n in ours if n.startswith("stages.0")]
    assert "stages.1.conv1.weight" not in kept
    method = json.loads((run.path / "experiment.json").read_text())["experiment"]["method"]
    assert (method["kind"], method["layers"], method["start"]) == ("fine_tuning", 2, tensors_sha256(theirs))
    shutil.rmtree(start.path)
    again = netsmith.load(run.path, notice=quiet)
    assert again.predict([np.full((1, 8, 8), 190, np.uint8)])[0]["label"] in ("dark", "light")
    assert again.figures() == run.figures()
    with pytest.raises(ConfigError, match="no weights to begin with"):
        netsmith.train(run.path / "experiment.json", notice=quiet)


def test_the_same_labels_keep_the_head_and_the_command_line_says_what_is_wrong(tmp_path, capsys):
    start = netsmith.train("cnn_digits", sets=TEACHER, notice=quiet)
    steps = ["--set", "data.twin=true", "--set", "epochs=0", "--set", "steps=2"]
    assert main(["train", "cnn_digits", "--from", str(start.path), *steps, "--json"]) == 0
    out, err = capsys.readouterr()
    assert "begins with 3 of 3 layers" in out + err
    assert main(["train", "cnn_digits", "--from", str(start.path), *steps, "--dry-run"]) == 0
    assert main(["train", "gan_gaussians", "--from", str(start.path)]) == 2
    assert "learns by adversarial" in capsys.readouterr().err
    assert main(["train", "cnn_digits", "--from", str(start.path), "--teacher", str(start.path)]) == 2
    assert "not both" in capsys.readouterr().err
    assert main(["train", "cnn_digits", "--from", str(tmp_path / "none")]) == 2
