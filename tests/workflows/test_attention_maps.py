"""Maps of where a captioning network looked: its own weights, spread over the picture, a page with a map per word."""

import pytest
import torch

import netsmith as package
from netsmith.core.errors import UnsupportedError
from netsmith.report.pictures import overlay, png
from netsmith.workflows.attention_maps import caption_groups, spread_over


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("captions")
    sets = {"data.twin": True, "epochs": 0, "steps": 5, "evaluate_every": 5}
    for name, recipe in (("attends", "show_attend_tell_shapes"), ("tells", "show_and_tell_shapes")):
        package.train(recipe, name=name, sets=sets, root=root, notice=lambda _: None)
    return root


def test_each_word_has_the_map_of_its_weights(runs):
    run = package.load(runs / "attends", notice=lambda _: None)
    network = run.network
    raw = run.engine.source.raw("test", torch.arange(2))
    # one at a time: in a batch the same sums are rounded otherwise
    found = [caption_groups(network, [f"picture {row}"], raw[row : row + 1]) for row in range(2)]
    groups, notes = [one[0][0] for one in found], [one[1][0] for one in found]
    writer, images = network.module.writer, network.shipped.preprocess(raw)
    for row, group in enumerate(groups):
        state, token = writer.begin(images[row : row + 1]), torch.tensor([2])
        words = [picture.caption for picture in group.pictures[1:]]
        assert notes[row] == f"{group.title}: {' '.join(words)}"
        for word, picture in zip(words, group.pictures[1:], strict=True):
            with torch.no_grad():
                logits, state = writer.step(token, state)
            logits[:, :2] = -torch.inf
            token = logits.argmax(1)
            assert network.spec.outputs.names[int(token)] == word
            heat = spread_over(writer.attention(state)[:, None], (8, 8), (32, 32))[0, 0]
            assert picture.png == png(overlay(raw[row], heat), scale=4)


def test_a_map_keeps_where_the_weight_is():
    weights = torch.zeros(1, 1, 12)
    weights[0, 0, 7] = 1.0  # row 1, column 3 of 3 x 4
    heat = spread_over(weights, (3, 4), (6, 8))[0, 0]
    inside = heat[2:4, 6:8]
    assert float(inside.min()) > 0.5
    assert float(heat.sum()) == pytest.approx(4.0, abs=0.8)  # a place is 4 pixels; a border smooths outward
    assert float(heat[:, :4].abs().sum()) == 0


def test_explain_writes_the_page_and_refuses_what_does_not_apply(runs):
    run = package.load(runs / "attends", notice=lambda _: None)
    found = run.explain(count=3)
    page = found.page.read_text(encoding="utf-8")
    assert len(found.groups) == 3
    assert all(line.split(": ")[1] in page for line in found.notes)
    assert len(found.pictures) == sum(len(group.pictures) for group in found.groups)
    with pytest.raises(UnsupportedError, match="does not apply to captions; these do: attention"):
        run.explain(method="saliency")
    with pytest.raises(UnsupportedError, match="sees a picture as a whole"):
        package.load(runs / "tells", notice=lambda _: None).explain()
