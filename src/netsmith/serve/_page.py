"""The page to try a network: one file, one script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import Any

__all__ = ["page_policy", "render_page"]

_STYLE = """
:root{color-scheme:light dark;--paper:#fcfbf9;--panel:#f4f3ef;--ink:#1b1c20;--muted:#62656d;--line:#e3e2dc;
--accent:#2f5bc4;--on-accent:#fff;--bad:#b3261e;--mono:ui-monospace,Menlo,Consolas,"Liberation Mono",monospace}
@media (prefers-color-scheme:dark){:root{--paper:#131417;--panel:#1b1d21;--ink:#e8e7e2;--muted:#9b9ea7;
--line:#2c2f35;--accent:#8fb0ff;--on-accent:#0f1116;--bad:#ff9a8f}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:52rem;padding:clamp(1.5rem,6vw,4rem) clamp(1.1rem,4vw,2.5rem);background:var(--paper);
color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI","Liberation Sans",Arial,sans-serif;
overflow-wrap:anywhere}
h1{margin:0;font-size:clamp(1.7rem,5vw,2.4rem);line-height:1.15;letter-spacing:-.015em}
h2{margin:2.4rem 0 .6rem;font-size:1.15rem}
p{margin:.6rem 0 0;color:var(--muted)}
dl{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;gap:.35rem 1.6rem;margin:1.6rem 0 0}
a{color:var(--accent)}
dt{color:var(--muted)}
dd{margin:0}
label{display:block;margin:0 0 .4rem;color:var(--muted);font-size:.9rem}
textarea{width:100%;min-height:9rem;padding:.9rem 1rem;border:1px solid var(--line);border-radius:8px;
background:var(--panel);color:inherit;font:.88rem/1.6 var(--mono);resize:vertical}
.row{display:flex;flex-wrap:wrap;gap:.9rem 1.4rem;align-items:center;margin:.9rem 0 0}
button{padding:.55rem 1.4rem;border:0;border-radius:8px;background:var(--accent);color:var(--on-accent);
font:inherit;font-weight:600;cursor:pointer}
button:disabled{opacity:.55;cursor:progress}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
output{display:block;margin:1.4rem 0 0}
output p.bad{color:var(--bad)}
output section{padding:.9rem 0;border-top:1px solid var(--line)}
output strong{font-size:1.1rem}
.bar{display:grid;grid-template-columns:minmax(4rem,10rem) 1fr 4.5rem;gap:.8rem;align-items:center;font-size:.9rem}
.bar span:last-child{text-align:right;font-variant-numeric:tabular-nums}
meter{width:100%;height:.8rem}
pre{margin:0;padding:.9rem 1rem;border-radius:8px;background:var(--panel);overflow-x:auto;font:.85rem/1.6 var(--mono);
white-space:pre-wrap}
"""

_SCRIPT = """
"use strict";
const form = document.querySelector("form");
const body = document.querySelector("textarea");
const button = document.querySelector("button");
const output = document.querySelector("output");
const picker = document.querySelector("input[type=file]");
function add(parent, name, text, kind) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  parent.appendChild(element);
  return element;
}
function show(prediction) {
  const place = add(output, "section");
  const label = prediction.label !== undefined ? prediction.label : prediction.action;
  if (label !== undefined) add(place, "strong", String(label));
  const chances = prediction.probabilities;
  if (prediction.label !== undefined && prediction.scores !== undefined) {
    for (const [name, value] of Object.entries(prediction.scores)) {
      const bar = add(place, "div", undefined, "bar");
      add(bar, "span", name);
      add(bar, "span", prediction.scores_are);
      add(bar, "span", String(Number(value.toPrecision(6))));
    }
    return;
  }
  if (chances === undefined || Array.isArray(chances)) {
    add(place, "pre", JSON.stringify(prediction));
    return;
  }
  for (const [name, value] of Object.entries(chances)) {
    const bar = add(place, "div", undefined, "bar");
    add(bar, "span", name);
    const meter = add(bar, "meter");
    meter.value = value;
    meter.setAttribute("aria-label", name);
    add(bar, "span", (100 * value).toFixed(1) + " %");
  }
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    const response = await fetch("predict", {
      method: "POST", headers: {"Content-Type": "application/json"}, body: body.value});
    const answer = await response.json();
    output.replaceChildren();
    if (answer.error !== undefined) {
      add(output, "p", answer.error, "bad");
    } else {
      answer.predictions.forEach(show);
      add(output, "p", answer.milliseconds + " ms");
    }
  } catch (error) {
    output.replaceChildren();
    add(output, "p", "no answer: " + error.message, "bad");
  } finally {
    button.disabled = false;
  }
});
if (picker) picker.addEventListener("change", () => {
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    body.value = JSON.stringify({inputs: [String(reader.result).split(",")[1]]});
    form.requestSubmit();
  });
  if (picker.files.length) reader.readAsDataURL(picker.files[0]);
});
"""


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page_policy() -> str:
    """Return the page's content policy: its own style and script by their hashes, requests to this server, no more."""
    return (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def render_page(described: dict[str, Any]) -> str:
    """Return the page for what ``GET /schema`` answers; every text of it is escaped."""
    inputs, outputs = described["inputs"], described["outputs"]
    shape = " × ".join("any" if size == -1 else str(size) for size in inputs.get("shape", ()))
    facts = [
        ("takes", f"{inputs['kind']}{f', {shape}' if shape else ''}"),
        ("columns", ", ".join(inputs.get("columns", ()))),
        ("answers", f"{outputs['kind']}{_names(outputs)}"),
        ("learned from", described["dataset"]),
        ("at most", f"{described['limits']['batch']} inputs and {described['limits']['body'] / 2**20:g} MiB a request"),
    ]
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts if value)
    pictures = inputs["kind"] == "image" and isinstance(described["example"]["inputs"][0], str)
    picker = '<input type="file" accept="image/png,image/jpeg" aria-label="A picture">' if pictures else ""
    example = json.dumps(described["example"], ensure_ascii=False)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{_text(described["model"])}</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>
<body><main><h1>{_text(described["model"])}</h1>
<dl>{rows}</dl>
<h2>Try it</h2>
<form><label for="body">The body of <code>POST /predict</code>; its form: <a href="schema">schema</a></label>
<textarea id="body" spellcheck="false" autocomplete="off">{_text(example)}</textarea>
<div class="row"><button>Predict</button>{picker}</div></form>
<output aria-live="polite"></output>
</main><script>{_SCRIPT}</script></body></html>
"""


def _names(outputs: dict[str, Any]) -> str:
    names = outputs.get("names", ())
    if not names:
        return f", {outputs['size']} numbers" if outputs.get("size") else ""
    return ": " + ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
