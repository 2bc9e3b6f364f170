"""A run as one web page that needs nothing else: the player, its style and its data in one file.

It opens from a disk, a lecture's folder or a learning platform, without a server and without a
network, and plays, steps and scrubs as in the app.
"""

from __future__ import annotations

import base64
import gzip
import json
from html import escape

from diffviz.scenes.buffer.format import read_header
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
  --st-text-color: #1C2530; --st-primary-color: #006BA6; --st-font: system-ui, sans-serif;
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --st-background-color: #12171E; --st-secondary-background-color: #1C242E;
    --st-text-color: #E7EBF0; --st-primary-color: #3391CC;
  }}
}}
body {{
  margin: 0 auto; padding: 1rem 1.5rem; max-width: 80rem;
  background: var(--st-background-color); color: var(--st-text-color);
  font: 16px/1.45 var(--st-font);
}}
h1 {{font-size: 1.4rem; margin: 0 0 0.6rem 0;}}
p {{margin: 0.8rem 0 0 0; max-width: 60rem;}}
{style}
</style>
</head>
<body>
<h1>{title}</h1>
<div id="player"></div>
<p>{note}</p>
<script type="module">
{script}
const packed = "{data}";
const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
const buffer = new Uint8Array(await new Response(stream).arrayBuffer());
const deaf = () => {{}};
mount({{
  data: {{ ...{options}, buffer }}, parentElement: document.getElementById("player"),
  setStateValue: deaf, setTriggerValue: deaf,
}});
</script>
</body>
</html>
"""
_ENTRY = "export default "


def standalone(buffer: bytes, title: str, note: str = "") -> str:
    """Return a run as a page of HTML.

    Args:
        buffer: made by ``encode``.
        title: what stands above it.
        note: what stands below it: plain text.

    Raises:
        ValueError: when ``buffer`` is not a player buffer.
    """
    read_header(buffer)
    packed = gzip.compress(buffer, mtime=0)
    script = scripts.script("player")
    assert script.count(_ENTRY) == 1
    return _PAGE.format(
        title=escape(title),
        note=escape(note),
        style=scripts.styles("player"),
        options=json.dumps({"autoplay": True, "loop": False, "link": None}),
        script=script.replace(_ENTRY, "const mount = "),
        data=base64.b64encode(packed).decode(),
    )
