"""A run as one web page that needs nothing else: the player, its style and its data in one file.

It opens from a disk, a lecture's folder or a learning platform, without a server and without a
network, and plays, steps and scrubs as in the app.  It may keep a knob: what is shown at its stops
travels in the file.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from diffviz.scenes.buffer import bind, read_header
from diffviz.ui.shell import scripts

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{
  color-scheme: light dark;
  --st-background-color: #FDFDFC; --st-secondary-background-color: #F1F4F7;
  --st-text-color: #1C2530; --st-primary-color: #006BA6; --st-border-color: #C9D1D9;
  --st-base-radius: 0.5rem; --st-font: system-ui, sans-serif;
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --st-background-color: #12171E; --st-secondary-background-color: #1C242E;
    --st-text-color: #E7EBF0; --st-primary-color: #3391CC; --st-border-color: #3A4653;
  }}
}}
body {{
  margin: 0 auto; padding: 1rem 1.5rem; max-width: 80rem;
  background: var(--st-background-color); color: var(--st-text-color);
  font: 16px/1.45 var(--st-font);
}}
h1 {{font-size: 1.4rem; margin: 0 0 0.6rem 0;}}
p {{margin: 0.8rem 0 0 0; max-width: 60rem;}}
#knob {{max-width: 20rem;}}
{style}
</style>
</head>
<body>
<h1>{title}</h1>
{knob}<div id="player"></div>
<p>{note}</p>
<script type="module">
{script}
const packed = "{data}";
const sheaf = "{sheaf}";
const unpacked = async (text) => {{
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}};
const deaf = () => {{}};
mount({{
  data: {{ ...{options}, buffer: await unpacked(packed), sheaf: sheaf && await unpacked(sheaf) }},
  parentElement: document.getElementById("player"), setStateValue: deaf, setTriggerValue: deaf,
}});
</script>
</body>
</html>
"""
_KNOB = """<div id="knob"></div>
<script type="module">
{script}
mount({{
  data: {options}, parentElement: document.getElementById("knob"), setStateValue: () => {{}},
}});
</script>
"""
_ENTRY = "export default "


@dataclass(frozen=True)
class Kept:
    """A knob that goes with a page.

    Attributes:
        label: what is chosen.
        value: the one that the page's own run is of.
        usual: the value that is marked.
        runs: by value, a buffer of its run, or what makes one of the samples that are there.
    """

    label: str
    value: float
    usual: float
    runs: Mapping[float, bytes]


def standalone(buffer: bytes, title: str, note: str = "", knob: Kept | None = None) -> str:
    """Return a run as a page of HTML.

    Args:
        buffer: made by ``encode``.
        title: what stands above it.
        note: what stands below it: plain text.
        knob: what the page keeps of the app's controls.

    Raises:
        ValueError: when ``buffer`` is not a player buffer.
    """
    read_header(buffer)
    options: dict[str, object] = {"autoplay": True, "loop": False, "link": None}
    if knob is not None:
        turn = {"key": "kept", "heard": 0, "few": None, "all": None, "levels": "kept"}
        options |= {"turns": {"kept": turn | {"here": knob.value}}}
    return _PAGE.format(
        title=escape(title),
        note=escape(note),
        style=scripts.styles("player") + ("" if knob is None else scripts.styles("knob")),
        knob="" if knob is None else _knob(knob),
        options=json.dumps(options),
        script=_script("player"),
        data=_packed(buffer),
        sheaf="" if knob is None else _packed(bind(knob.runs)),
    )


def _knob(knob: Kept) -> str:
    stops = sorted(knob.runs)
    options = {
        "name": "kept",
        "key": "kept",
        "label": knob.label,
        "help": "",
        "value": knob.value,
        "usual": knob.usual,
        "stops": stops,
        "words": [f"{value:g}" for value in stops],
        "ends": None,
        "whole": False,
        "heard": 0,
    }
    return _KNOB.format(script=_script("knob"), options=json.dumps(options))


def _script(name: str) -> str:
    script = scripts.script(name)
    assert script.count(_ENTRY) == 1
    return script.replace(_ENTRY, "const mount = ")


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()
