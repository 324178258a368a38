"""``train --from RUN``: another run's network and weights on one's own data, noted, and resumed or used without it."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import netsmith
from netsmith.api.experiments import find
from netsmith.cli import main
from netsmith.core.errors import ConfigError
from netsmith.engine.checkpoint import tensors_sha256
from own import write_own_data

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


@pytest.fixture(scope="module")
def owned(tmp_path_factory):
    return write_own_data(tmp_path_factory.mktemp("own"))


def again(target, start, data, sets, said=None):
    notice = quiet if said is None else said.append
    return netsmith.train(target, data=data, start=start.path, sets=sets, notice=notice)


def test_weights_for_other_inputs_are_refused_with_what_to_do(owned, tmp_path):
    sets = {"epochs": 0, "steps": 2}
    start = netsmith.train("text_classifier", data=owned / "texts.csv", sets=sets, notice=quiet)
    text = (owned / "texts.csv").read_text()
    with pytest.raises(ConfigError, match=r"data.min_count: texts are read with the vocabulary of text_classifier; "):
        again("text_classifier", start, owned / "texts.csv", sets | {"data.min_count": 2})
    with pytest.raises(ConfigError, match=r"cuts texts in another way.*lowercase=True.*lowercase=False"):
        again("text_classifier", start, owned / "texts.csv", sets | {"data.lowercase": False})
    assert again("text_classifier", start, owned / "texts.csv", sets).figures()
    table = netsmith.train("table_classifier", data=owned / "table.csv", sets=sets, notice=quiet)
    text = (owned / "table.csv").read_text()
    (tmp_path / "renamed.csv").write_text(text.replace("height", "length", 1))
    with pytest.raises(ConfigError, match=r"takes the columns height, weight, color; these data have length, weight"):
        again("table_classifier", table, tmp_path / "renamed.csv", sets)
    (tmp_path / "colors.csv").write_text(text.replace("red", "green"))
    with pytest.raises(ConfigError, match=r"column color has other values \(.*green.*\) than in .*red"):
        again("table_classifier", table, tmp_path / "colors.csv", sets)
    digits = netsmith.train("mlp_digits", sets=sets | {"data.twin": True}, notice=quiet)
    with pytest.raises(ConfigError, match="takes image, these data are table"):
        again("table_classifier", digits, owned / "table.csv", sets)
    rows = text.splitlines(keepends=True)
    (tmp_path / "half.csv").write_text("".join(rows[:31]))
    said = []
    again("table_classifier", table, tmp_path / "half.csv", sets, said)
    assert "learned with another scaling (mean" in " ".join(said)
    said.clear()
    again("table_classifier", table, owned / "table.csv", sets, said)
    assert "learned with another scaling" not in " ".join(said)


def test_other_texts_are_read_with_the_vocabulary_the_network_learned(owned, tmp_path):
    sets = {"epochs": 0, "steps": 2}
    start = netsmith.train("text_classifier", data=owned / "texts.csv", sets=sets, notice=quiet)
    words = start.network.spec.inputs.vocabulary
    text = (owned / "texts.csv").read_text().replace("snow", "frost").replace("summer", "hot").replace("wet", "damp")
    (tmp_path / "other.csv").write_text(text)  # as many words: every shape would fit
    said = []
    run = again("text_classifier", start, tmp_path / "other.csv", sets | {"data.max_length": 20}, said)
    assert run.network.spec.inputs.vocabulary == words
    assert "frost" not in words
    whole = " ".join(said)
    assert f"texts are read with the vocabulary of text_classifier, {len(words)} entries" in whole
    rows = [line.split(",")[0].split() for line in text.splitlines()[1:]]
    part = run.engine.source.texts("train", torch.arange(run.engine.source.spec.split("train").size))
    tokens = [word for row in part for word in row.split()]
    share = sum(word in words for word in tokens) / len(tokens)
    assert share < 1
    assert f"{share:.0%} of the tokens of the training texts are in its vocabulary" in whole
    assert run.network.encode([" ".join(rows[0])]).tolist()[0][:8] == [
        words.index(word) if word in words else 1 for word in rows[0]
    ]
    shutil.rmtree(start.path)  # the run needs it no more
    one = netsmith.load(run.path, notice=quiet)
    assert one.figures() == run.figures()
    assert one.evaluate("test")["test/accuracy"] == run.figures()["test/accuracy"]


def test_texts_are_cut_as_the_network_learned_them(owned):
    sets = {"epochs": 0, "steps": 2, "data.twin": True, "method.model.hidden_size": 8}
    start = netsmith.train("bilstm_mr", sets=sets, notice=quiet)
    said = []
    run = again("text_classifier", start, owned / "texts.csv", {"epochs": 0, "steps": 2}, said)
    ours, theirs = run.network.spec.inputs, start.network.spec.inputs
    assert ours == theirs
    assert any("and as it did: pattern=" in line and "max_length=48" in line for line in said)
    assert any("0% of the tokens" in line for line in said)


def test_a_vocabulary_of_another_form_is_refused(owned):
    config = find("text_classifier").config.data
    for words in (("a", "b", "c"), ("<pad>", "<unk>"), ("<pad>", "<unk>", "a", "a")):
        with pytest.raises(ConfigError, match=r"vocabulary: expected '<pad>', '<unk>' and then tokens, each once"):
            config.derive(vocabulary=words)
    with pytest.raises(ConfigError, match="min_count=2: the vocabulary is given"):
        config.derive(vocabulary=("<pad>", "<unk>", "a"), min_count=2)


def test_pictures_of_another_number_of_channels_are_refused(owned):
    start = netsmith.train("cnn_digits", sets=TEACHER, notice=quiet)
    sets = {"epochs": 0, "steps": 1, "data.augment": [], "data.image_size": 8}
    with pytest.raises(ConfigError, match="takes pictures of 1 channels, these have 3"):
        again("image_classifier", start, owned / "pictures", sets)


def test_a_network_that_takes_the_recipes_place_is_said(tmp_path):
    start = netsmith.train("mlp_digits", sets={"data.twin": True, "epochs": 0, "steps": 2}, name="wide", notice=quiet)
    sets, said = {"data.twin": True, "epochs": 0, "steps": 2}, []
    netsmith.train("cnn_digits", start=start.path, sets=sets, notice=said.append)
    assert "the network small_cnn of cnn_digits is replaced by mlp of wide" in said
    said.clear()
    netsmith.train("mlp_digits", start=start.path, sets=sets, notice=said.append)
    assert "replaced" not in " ".join(said)
    small = netsmith.train("cnn_digits", sets=TEACHER, name="small", notice=quiet)
    netsmith.train("cnn_digits", start=small.path, sets=sets, notice=said.append)
    assert "the form of small_cnn of cnn_digits is replaced by that of small" in said
