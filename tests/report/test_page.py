"""The page: self-contained, safe whatever the names are, balanced, and it shows what was given."""

import html.parser
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from netsmith.core.errors import UserError
from netsmith.report.figures import Curve
from netsmith.report.markup import element, escape
from netsmith.report.page import POLICY, Page, Picture
from netsmith.report.pictures import png
from netsmith.report.run_page import Chart, Fact, ModelRow, PictureGroup, RunReport, model_table, run_page

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\x00\ud800\u202e"
VOID = {"meta", "link", "img", "br"}


class Reader(html.parser.HTMLParser):
    """Keeps every tag and attribute, and fails when tags do not close in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def report(name="teacher"):
    picture = Picture(png(np.arange(12, dtype=np.uint8).reshape(3, 4)), name)
    return RunReport(
        title=name,
        subtitle=name,
        kicker=name,
        facts=[Fact(name, name, name)],
        commands=[name],
        charts=[Chart(name, [Curve(name, [0, 1, 2], [3.0, 2.0, 1.0], mark="min")], log_y=True, caption=name)],
        confusion=[[5, 1], [0, 4]],
        class_names=[name, "b"],
        confused=[(name, "b", 1, 1 / 6)],
        pictures=[PictureGroup(name, name, [picture], 1)],
        models=[
            ModelRow(name, 0.99, 57_098, 233_000, 1_840_000, 0.09),
            ModelRow("small", 0.986, 7_210, 25_000, 203_000, 0.022),
        ],
        chosen=name,
        notes=[name],
        environment=[(name, name)],
    )


@pytest.mark.parametrize("name", ["teacher", EVIL])
def test_nothing_leaves_the_page_and_nothing_runs(name):
    text = run_page(report(name))
    reader = Reader(text)
    assert "http:" not in text
    assert "https:" not in text
    assert "//" not in re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", text)
    assert "url(" not in text
    assert "@import" not in text
    assert not {"script", "iframe", "object", "embed", "form", "base", "audio", "video"} & set(reader.tags)
    for tag, attribute, value in reader.attributes:
        assert not attribute.startswith("on"), (tag, attribute)
        if attribute in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            assert value.startswith(("data:", "#")), (tag, attribute, value)
    policies = [v for t, a, v in reader.attributes if t == "meta" and a == "content" and "default-src" in v]
    assert policies == [POLICY]
    assert POLICY.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert text.index("Content-Security-Policy") < text.index("<style>")
    text.encode("utf-8")  # no lone surrogate is left


def test_a_hostile_name_is_shown_as_text_everywhere():
    reader = Reader(run_page(report(EVIL)))
    shown = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\ufffd\ufffd\ufffd"
    assert reader.text.count(shown) >= 17
    assert "alert" not in " ".join(value for tag, name, value in reader.attributes if name != "alt" and value)
    images = [(tag, name) for tag, name, _ in reader.attributes if tag == "img" and name == "src"]
    assert len(images) == 1


def test_every_drawing_of_the_page_is_well_formed_xml():
    drawings = re.findall(r"<svg .*?</svg>", run_page(report(EVIL)), flags=re.DOTALL)
    assert len(drawings) == 5  # Pareto, two bar charts, the curve, the confusion matrix
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).find("title") is not None


def test_what_was_given_is_shown_in_order():
    text = Reader(run_page(report())).text
    for wanted in [
        "99.00 %",
        "57.1 k",
        "233 kB",
        "1.8 M",
        "90 µs",
        "25.0 kB",
        "9.3x",
        "4.1x",
        "−0.40",
        "1 of 10 examples",
    ]:
        assert wanted in text, wanted
    places = [text.rindex(title) for title in ("Models", "Learning", "Where it errs", "Make it again", "Measured on")]
    assert places == sorted(places)


def test_empty_parts_are_left_out():
    text = run_page(RunReport(title="Only a title"))
    reader = Reader(text)
    assert "section" not in reader.tags
    assert "svg" not in reader.tags
    assert "nav" not in reader.tags
    one = Reader(run_page(RunReport(title="x", models=[ModelRow("alone", 0.9)])))
    assert "alone" in one.text
    assert "svg" not in one.tags


def test_anchors_lead_to_their_sections():
    page = Page("t").section("One").section("Two & more").section("Three")
    reader = Reader(page.render())
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert ["#" + one for one in ids] == [v for t, n, v in reader.attributes if t == "a" and n == "href"]
    assert len(set(ids)) == 3


def test_every_color_of_the_light_page_has_a_dark_one():
    style = re.search(r"<style>(.*?)</style>", Page("t").render(), flags=re.DOTALL)[1]
    light, dark = re.findall(r":root\{(.*?)\}", style, flags=re.DOTALL)[:2]
    colors = dict(re.findall(r"(--[\w-]+):(#\w+)", light))
    other = dict(re.findall(r"(--[\w-]+):(#\w+)", dark))
    assert set(colors) == set(other)
    for palette in (colors, other):  # WCAG AA: 4.5 : 1 for text
        for name in ("--ink", "--muted", "--accent", "--series-1", "--series-3", "--series-4"):
            assert contrast(palette[name], palette["--paper"]) >= 4.5, (name, palette[name])
        assert contrast(palette["--on-accent"], palette["--accent"]) >= 4.5


def contrast(a, b):
    def luminance(color):
        color = color.lstrip("#")
        color = "".join(c * 2 for c in color) if len(color) == 3 else color
        parts = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted([luminance(a), luminance(b)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_page_refuses_what_it_cannot_show():
    with pytest.raises(UserError, match="must be a PNG file; got 4 bytes"):
        Page("t").pictures([Picture(b"GIF8")])
    with pytest.raises(UserError, match="PNG bytes or SVG text"):
        Page("t").figure("<b>no</b>")
    with pytest.raises(UserError, match="chosen model 'x' is none of"):
        model_table([ModelRow("a")], chosen="x")
    with pytest.raises(UserError, match="2 names"):
        run_page(RunReport(title="t", confusion=[[1]], class_names=["a", "b"]))


def test_ratios_refer_to_the_first_model():
    table = model_table([ModelRow("a", 0.9, 10, 1000, 5, 4.0), ModelRow("b", 0.95, 5, 250, None, 8.0), ModelRow("c")])
    assert table.rows[1] == ["b", "95.00 %", "+5.00", "5", "250 B", "4.0x", "–", "8.0 ms", "0.50x"]
    assert table.rows[2] == ["c", "–", "", "–", "–", "", "–", "–", ""]


def test_markup():
    assert escape("<a href='x'>&\"") == "&lt;a href=&#x27;x&#x27;&gt;&amp;&quot;"
    assert escape("a\x08b\ufffe") == "a\ufffdb\ufffd"
    assert element("rect", class_='a"b', stroke_width=1.5, x=2.0) == '<rect class="a&quot;b" stroke-width="1.5" x="2"/>'
