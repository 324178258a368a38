"""One self-contained page: everything is inside, and its policy forbids the browser to ask anyone for anything.

Light and dark follow the reader's system; it reads on a phone and prints. No script at all.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from typing import Self

from netsmith.core.errors import UserError
from netsmith.report.markup import element, escape
from netsmith.report.tables import Table

__all__ = ["POLICY", "Page", "Picture"]

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE = """
:root{color-scheme:light dark;--paper:#fcfbf9;--panel:#f4f3ef;--ink:#1b1c20;--muted:#62656d;--line:#e3e2dc;
--accent:#2f5bc4;--on-accent:#fff;--series-1:#2f5bc4;--series-2:#c4571f;--series-3:#007949;--series-4:#7f4b97;
--series-5:#1b1c20;
--sans:"Inter","Segoe UI",system-ui,-apple-system,"Helvetica Neue","Liberation Sans",Arial,sans-serif;
--serif:"Iowan Old Style","Charter","Source Serif 4","Palatino Linotype","Liberation Serif",Georgia,serif;
--mono:ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"Liberation Mono",monospace}
@media (prefers-color-scheme:dark){:root{--paper:#131417;--panel:#1b1d21;--ink:#e8e7e2;--muted:#9b9ea7;--line:#2c2f35;
--accent:#8fb0ff;--on-accent:#0f1116;--series-1:#7d9ff5;--series-2:#f09a62;--series-3:#3fb08e;--series-4:#e7a6dc;
--series-5:#eceef2}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 var(--sans);overflow-wrap:anywhere}
main,footer{max-width:66rem;margin:0 auto;padding:0 clamp(1.1rem,4vw,2.5rem)}
header{padding:clamp(2.5rem,7vw,5rem) 0 0}
.kicker{margin:0 0 .9rem;font-size:.8rem;letter-spacing:.09em;text-transform:uppercase;color:var(--muted);
font-weight:600}
h1{margin:0;font:600 clamp(2rem,5vw,3.1rem)/1.12 var(--serif);letter-spacing:-.015em;text-wrap:balance}
.subtitle{margin:1rem 0 0;max-width:44rem;font-size:1.15rem;line-height:1.55;color:var(--muted)}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1.5rem;margin:2.2rem 0 0;padding:.85rem 0;border-block:1px solid var(--line);
font-size:.9rem}
nav a{color:var(--muted);text-decoration:none}
nav a:hover{color:var(--ink)}
a:focus-visible{outline:2px solid var(--accent);outline-offset:3px;border-radius:2px}
section{margin:clamp(2.8rem,6vw,4.2rem) 0 0}
h2{margin:0 0 .5rem;font:600 1.6rem/1.25 var(--serif);letter-spacing:-.01em;scroll-margin-top:1.5rem}
p{max-width:44rem;margin:0 0 1rem;text-wrap:pretty}
section>p{color:var(--muted)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));margin:2.2rem 0 0;padding:0;
border:1px solid var(--line);border-radius:10px;overflow:hidden}
.facts div{box-shadow:1px 0 var(--line),0 1px var(--line);padding:1.05rem 1.2rem 1.1rem}
.facts dt{font-size:.82rem;color:var(--muted)}
.facts dd{margin:.15rem 0 0;font-size:1.55rem;font-weight:600;letter-spacing:-.015em;line-height:1.2;
font-variant-numeric:tabular-nums}
.facts .note{display:block;margin-top:.2rem;font-size:.82rem;font-weight:400;letter-spacing:0;color:var(--muted)}
.scroll{overflow-x:auto;margin:1.4rem 0 0}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums;line-height:1.4}
th{text-align:left;font-weight:500;font-size:.82rem;color:var(--muted);white-space:nowrap;
border-bottom:1px solid var(--muted)}
th,td{padding:.6rem 1.1rem .6rem 0;vertical-align:baseline}
th:last-child,td:last-child{padding-right:0}
td{border-bottom:1px solid var(--line)}
td:first-child{min-width:9rem}
.number{text-align:right;white-space:nowrap}
.marked td{font-weight:600}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:2.2rem 2.8rem;
margin:1.6rem 0 0;align-items:start}
figure{margin:1.6rem 0 0;min-width:0}
.figures figure{margin:0}
.figures figure.wide{grid-column:1/-1}
svg.figure{display:block;width:100%;height:auto;font-family:var(--sans);font-variant-numeric:tabular-nums}
svg.figure+svg.figure{margin-top:2rem}
figure .scroll{margin:0}
figcaption{margin:.7rem 0 0;max-width:40rem;font-size:.88rem;line-height:1.5;color:var(--muted)}
figure>img{display:block;max-width:100%;height:auto;border-radius:6px}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(5rem,1fr));gap:1.3rem 1rem;margin:1.4rem 0 0;
padding:0;list-style:none}
.pictures.rows{grid-template-columns:repeat(var(--columns),minmax(4.6rem,8.5rem));overflow-x:auto}
.pictures img{display:block;width:100%;height:auto;image-rendering:pixelated;border-radius:5px;
background:var(--panel)}
.pictures.charts{display:flex;flex-wrap:wrap;gap:1.6rem 2rem;align-items:flex-start}
.pictures li.large{grid-column:1/-1;min-width:0;max-width:100%}
.pictures li.large img{max-width:100%;image-rendering:auto}
.pictures span{display:block;margin-top:.4rem;font-size:.8rem;line-height:1.35;color:var(--muted)}
.words{color:var(--ink);font-size:1rem;line-height:2.1;margin:0;max-width:50rem}
.words span{padding:.15rem .3rem;border-radius:4px}
h3{margin:2rem 0 .3rem;font-size:1rem;font-weight:600}
h3+p{font-size:.92rem;color:var(--muted);margin:0}
pre{margin:1.4rem 0 0;padding:1rem 1.2rem;background:var(--panel);border-radius:8px;overflow-x:auto;
font:.86rem/1.7 var(--mono);white-space:pre}
pre .prompt{color:var(--muted);user-select:none}
ul.notes{max-width:44rem;margin:1rem 0 0;padding:0 0 0 1.1rem}
ul.notes li{margin:0 0 .5rem;padding-left:.2rem}
ul.notes li::marker{color:var(--muted)}
dl.pairs{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:.35rem 1.8rem;margin:1.2rem 0 0;
font-size:.92rem}
dl.pairs dt{color:var(--muted)}
dl.pairs dd{margin:0;font-variant-numeric:tabular-nums}
footer{margin-top:clamp(3rem,7vw,5rem);padding-top:1.2rem;padding-bottom:3rem;font-size:.85rem;color:var(--muted)}
footer p{border-top:1px solid var(--line);padding-top:1.2rem;max-width:none}
@media print{nav{display:none}section{break-inside:avoid-page}}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a grid.

    Attributes:
        png: The bytes of a PNG file.
        caption: What stands below it (empty: nothing).
        alt: What a screen reader says; empty takes the caption.
        large: It is a chart: shown at half its pixels (sharp on a fine screen), never in a grid of small ones.
    """

    png: bytes
    caption: str = ""
    alt: str = ""
    large: bool = False


class Page:
    """A page that is filled from top to bottom and rendered once.

    Args:
        title: The heading, also the title of the window.
        subtitle: One or two sentences below it.
        kicker: A small line above it.
        language: Of the text, for screen readers and hyphenation.

    Example:
        >>> text = Page("LeNet-5 on MNIST").section("Result", "Measured once.").render()
    """

    def __init__(self, title: str, *, subtitle: str = "", kicker: str = "", language: str = "en") -> None:
        self._title = title
        self._subtitle = subtitle
        self._kicker = kicker
        self._language = language
        self._opening: list[str] = []
        self._sections: list[tuple[str, list[str]]] = []
        self._footer = "Made by netsmith. Everything is inside this file; it asks no other address for anything."

    def section(self, title: str, text: str = "") -> Self:
        """Begin a section; what follows goes into it. It is listed at the top of the page."""
        anchor = f"section-{len(self._sections) + 1}"
        parts = [element("h2", escape(title), id=anchor)] + ([element("p", escape(text))] if text else [])
        self._sections.append((title, parts))
        return self

    def text(self, text: str) -> Self:
        """Add a paragraph."""
        return self._add(element("p", escape(text)))

    def words(self, words: Sequence[tuple[str, float]]) -> Self:
        """Add a text whose words carry the color of their number: orange above zero, blue below."""
        most = max((abs(value) for _, value in words), default=0.0) or 1.0
        spans = []
        for word, value in words:
            color = f"rgba({'196,87,31' if value > 0 else '47,91,196'},{0.75 * abs(value) / most:.2f})"
            spans.append(element("span", escape(word), style=f"background:{color}", title=f"{value:+.4f}"))
        return self._add(f'<p class="words">{" ".join(spans)}</p>') if words else self

    def heading(self, title: str, text: str = "") -> Self:
        """Add a small heading, with a line below it."""
        return self._add(element("h3", escape(title)) + (element("p", escape(text)) if text else ""))

    def facts(self, facts: Sequence[tuple[str, str, str]]) -> Self:
        """Add the figures that matter most, large: ``(name, value, note)`` each; the note may be empty."""
        cells = "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
            + (f'<span class="note">{escape(note)}</span>' if note else "")
            + "</dd></div>"
            for name, value, note in facts
        )
        return self._add(f'<dl class="facts">{cells}</dl>') if facts else self

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> Self:
        """Add names with their values, small: the machine, the versions."""
        cells = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
        return self._add(f'<dl class="pairs">{cells}</dl>') if pairs else self

    def table(
        self, headers: Sequence[str], rows: Sequence[Sequence[str]], *, align: str = "", marked: Sequence[int] = ()
    ) -> Self:
        """Add a table; see :class:`~netsmith.report.tables.Table`. A wide one scrolls by itself on a phone."""
        table = Table(headers, rows, align, marked).html()
        return self._add(f'<div class="scroll" tabindex="0">{table}</div>')

    def commands(self, lines: Sequence[str]) -> Self:
        """Add command lines to copy."""
        shown = "\n".join(f'<span class="prompt">$ </span>{escape(" ".join(line.split()))}' for line in lines)
        return self._add(f"<pre>{shown}</pre>") if lines else self

    def notes(self, notes: Sequence[str]) -> Self:
        """Add a list of remarks."""
        items = "".join(element("li", escape(note)) for note in notes)
        return self._add(f'<ul class="notes">{items}</ul>') if notes else self

    def figure(self, content: bytes | str, *, caption: str = "", alt: str = "") -> Self:
        """Add one figure over the whole width.

        Args:
            content: The bytes of a PNG file, or SVG text from :mod:`netsmith.report.figures`.
            caption: Below the figure.
            alt: What a screen reader says of a PNG (an SVG carries its own title).
        """
        return self._add(_figure(content, caption, alt, wide=True))

    def figures(self, items: Sequence[tuple[bytes | str | Table, str]]) -> Self:
        """Add figures (or tables) with captions side by side, below each other where there is no room.

        SVG text may hold several figures; they stand below each other in one place.
        """
        inner = "".join(_figure(content, caption, "", wide=False) for content, caption in items)
        return self._add(f'<div class="figures">{inner}</div>') if items else self

    def pictures(self, pictures: Sequence[Picture], *, columns: int = 0) -> Self:
        """Add small pictures with captions.

        Args:
            pictures: In reading order.
            columns: A fixed number per row (input | saliency | ...); 0 fills each row.
        """
        cells = []
        for picture in pictures:
            width, height = (size // 2 if picture.large else size for size in _png_size(picture.png))
            size = {"style": f"width:{width}px"} if picture.large else {}
            image = element(
                "img", src=_data(picture.png), alt=picture.alt or picture.caption, width=width, height=height, **size
            )
            caption = element("span", escape(picture.caption)) if picture.caption else ""
            cells.append(f'<li class="large">{image}{caption}</li>' if picture.large else f"<li>{image}{caption}</li>")
        kind = f'class="pictures rows" style="--columns:{int(columns)}"' if columns else 'class="pictures"'
        if all(picture.large for picture in pictures):  # side by side where there is room
            kind = 'class="pictures charts"'
        return self._add(f"<ul {kind}>{''.join(cells)}</ul>") if pictures else self

    def footer(self, text: str) -> Self:
        """Replace the line at the bottom."""
        self._footer = text
        return self

    def render(self) -> str:
        """Return the page as HTML text (UTF-8 when written)."""
        kicker = f'<p class="kicker">{escape(self._kicker)}</p>' if self._kicker else ""
        subtitle = f'<p class="subtitle">{escape(self._subtitle)}</p>' if self._subtitle else ""
        links = "".join(
            f'<a href="#section-{number}">{escape(title)}</a>' for number, (title, _) in enumerate(self._sections, 1)
        )
        navigation = f'<nav aria-label="Sections">{links}</nav>' if len(self._sections) > 2 else ""
        sections = "\n".join(f"<section>{''.join(parts)}</section>" for _, parts in self._sections)
        return f"""<!DOCTYPE html>
<html lang="{escape(self._language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{escape(self._title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<header>{kicker}<h1>{escape(self._title)}</h1>{subtitle}{"".join(self._opening)}{navigation}</header>
{sections}
</main>
<footer><p>{escape(self._footer)}</p></footer>
</body>
</html>
"""

    def _add(self, markup: str) -> Self:
        (self._sections[-1][1] if self._sections else self._opening).append(markup)
        return self


def _figure(content: bytes | str | Table, caption: str, alt: str, *, wide: bool) -> str:
    if isinstance(content, bytes):
        width, height = _png_size(content)
        inner = element("img", src=_data(content), alt=alt or caption, width=width, height=height)
    elif isinstance(content, Table):
        inner = f'<div class="scroll" tabindex="0">{content.html()}</div>'
    elif content.startswith("<svg "):
        inner = f'<div class="scroll">{content}</div>' if wide else content
    else:
        raise UserError(f"a figure is PNG bytes or SVG text; got text that begins with {content[:20]!r}")
    opening = ' class="wide"' if wide else ""
    below = element("figcaption", escape(caption)) if caption else ""
    return f"<figure{opening}>{inner}{below}</figure>"


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _png_size(png: bytes) -> tuple[int, int]:
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        raise UserError(f"a picture must be a PNG file; got {len(png)} bytes that begin with {png[:8]!r}")
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
