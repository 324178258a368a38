"""Text that is safe inside HTML and SVG, whatever a label, a file name or a command line contains."""

from __future__ import annotations

import html
import re

__all__ = ["element", "escape"]

# What XML 1.0 allows, less the marks that turn the direction of the text around them (a name may not reorder a page).
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)


def escape(text: object) -> str:
    """Return ``text`` with ``& < > " '`` escaped and characters that XML forbids replaced by U+FFFD.

    Example:
        >>> escape("<b>")
        '&lt;b&gt;'
    """
    return html.escape(_FORBIDDEN.sub("\ufffd", str(text)), quote=True)


def element(tag: str, content: str = "", **attributes: object) -> str:
    """Return an element; attribute values are escaped, ``content`` is markup already.

    Args:
        tag: The name; ``<tag/>`` where there is no content.
        content: Inner markup.
        attributes: Names with ``_`` stand for ``-`` (a trailing one is dropped: ``class_``); numbers are shortened.
    """
    parts = [tag]
    for name, value in attributes.items():
        shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
        parts.append(f'{name.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    return f"<{' '.join(parts)}>{content}</{tag}>" if content else f"<{' '.join(parts)}/>"
