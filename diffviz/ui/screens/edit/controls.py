"""What the Edit page asks for: which picture, and what is done with it."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache
from typing import cast

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.run import simulate
from diffviz.data.pictures import IMAGE_INFO, labelled_images
from diffviz.exchange.uploads import decode_image
from diffviz.scenes.configs import Picture
from diffviz.scenes.drawing import SIDE, drawing, seven_levels
from diffviz.scenes.edit_run import DAMAGES, Damage, Kind
from diffviz.scenes.picture_run import GenerateRun
from diffviz.scenes.picture_sets import PICTURE_SETS
from diffviz.ui.choices import uploader, widgets
from diffviz.ui.parts.sheet import (
    decode_mask,
    decode_picture,
    draw_picture,
    encode_mask,
    encode_picture,
    paint_mask,
)
from diffviz.ui.shell import links

KINDS: dict[Kind, str] = {
    "redraw": "Redraw",
    "inpaint": "Fill in",
    "restore": "Restore",
}
SOURCES = {"drawn": "Draw", "network": "Network", "real": "Real", "upload": "Upload"}
"""Where the picture comes from: the word in the address and what the page says."""

_SHEET = 300
_LEVELS = tuple(k / 20 for k in range(21))
_REPEATS = (1, 2, 3, 5, 8)
_NOISES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_REPEATS_HELP = (
    "After each step go back to its noise level and step again (RePaint): the known and the new "
    "part get time to agree. Costs as many times more."
)


def choose_kind() -> Kind:
    """Draw the choice of the edit."""
    parameter = cast("links.Parameter[Kind]", links.choice("edit", "redraw", KINDS))
    chosen = widgets.segments("Edit", parameter, KINDS, quiet=True)
    return chosen


def choose_class(name: str) -> tuple[int, ...]:
    """Draw the choice of one class; () leaves it open."""
    classes = PICTURE_SETS[name].classes
    words = ["", *(str(k) for k in range(len(classes)))]
    parameter = replace(links.choice("class", "", words), of=f"edit-{name}")
    titles = {word: classes[int(word)] if word else "left open" for word in words}
    chosen = widgets.menu("Class (what it shall become)", parameter, titles, width=180)
    return (int(chosen),) if chosen else ()


def choose_picture(name: str) -> Picture:
    """Draw the choice of the picture, and the sheet where it is drawn; returns it."""
    offered = [key for key in SOURCES if key != "real" or name in IMAGE_INFO]
    words = {key: SOURCES[key] for key in offered}
    default = "drawn" if name == "mnist" else "real"
    parameter = replace(links.choice("from", default, offered), of=name)
    chosen = widgets.segments("Picture", parameter, words, quiet=True)
    levels = _PICTURES[chosen](name)
    return drawing(levels)


def _drawn(name: str) -> NDArray[np.uint8]:
    parameter = _word(name)
    before = links.value(parameter)
    start = decode_picture(before) if before else seven_levels()
    levels = draw_picture(key=f"_sheet_{name}", picture=start, height=_SHEET)
    if levels is None:
        return start
    word = encode_picture(levels)
    links.keep(parameter, "" if word == encode_picture(seven_levels()) else word)
    return levels


def _word(name: str) -> links.Parameter[str]:
    def parse(word: str) -> str:
        try:
            decode_picture(word)
        except ValueError:
            raise links.Refused("is not a drawing") from None
        return word

    return links.Parameter("picture", "", parse, of=name)


def _network(name: str) -> NDArray[np.uint8]:
    label, seed = _which(name)
    return _generated(name, label, seed)


@lru_cache(maxsize=64)
def _generated(name: str, label: int, seed: int) -> NDArray[np.uint8]:
    run = GenerateRun(name, count=1, classes=(label,))
    run = replace(run, sampler=replace(run.sampler, seed=seed))
    return _levels(simulate(run.plan(), 1).x_t[-1][0])


def _real(name: str) -> NDArray[np.uint8]:
    label, seed = _which(name)
    images, labels = labelled_images(name, IMAGE_INFO[name].count, 0)
    of_class = (labels == label).nonzero().flatten()
    return _levels(images[of_class[seed % len(of_class)]])


def _which(name: str) -> tuple[int, int]:
    """Draw the choice of a class and of one of its pictures; show it."""
    classes = PICTURE_SETS[name].classes
    whose = replace(links.whole("whose", 7, 0, len(classes) - 1), of=name)
    label = widgets.menu("What it shows", whose, dict(enumerate(classes)), width=None)
    number = links.whole("of", 0, 0, 99_999)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = widgets.number("Which one", number, step=1, width=150)
        st.button(
            "Another",
            icon=":material/casino:",
            on_click=lambda: links.keep(number, random.randrange(100_000)),
        )
    return label, seed


def _uploaded(name: str) -> NDArray[np.uint8]:
    kept = uploader.taken(
        uploader.PICTURE, "_edit_upload", lambda data: _fitted(decode_image(data))
    )
    if kept is None:
        st.caption(
            "Uploads are made grey and 28 by 28. Digits are white on black: turn it round if yours "
            "is dark on light. Pictures do not travel with links."
        )
        return _generated(name, 7, 0)
    turned = widgets.toggle("Light on dark (turn it round)", links.flag("turned"))
    levels: NDArray[np.uint8] = 255 - kept if turned else kept
    return levels


def _fitted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Any picture (H, W, C) as (28, 28) grey levels: the whole of it, on its own ground."""
    x = torch.from_numpy(pixels.astype(np.float32)).mean(-1)
    height, width = x.shape
    side = max(height, width)
    square = torch.full((side, side), float(x[0, 0]))
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = x
    small = torch.nn.functional.interpolate(
        square[None, None], (SIDE, SIDE), mode="bilinear", antialias=True
    )
    fitted: NDArray[np.uint8] = small[0, 0].round().clamp(0, 255).numpy().astype(np.uint8)
    return fitted


def _levels(x: Tensor) -> NDArray[np.uint8]:
    """(1, 28, 28) in [-1, 1] as levels (28, 28)."""
    levels: NDArray[np.uint8] = ((x[0] + 1) * 127.5).round().clamp(0, 255).numpy().astype(np.uint8)
    return levels


_PICTURES = {"drawn": _drawn, "network": _network, "real": _real, "upload": _uploaded}


def choose_level() -> float:
    """Draw the noise level of a redrawing."""
    return widgets.stops(
        "Noise level (how much is made anew)",
        links.number("level", 0.5, 0, 1),
        _LEVELS,
        form="{:.0%}",
        width=260,
    )


def choose_repeats() -> int:
    """Draw how often each step of an inpainting is made."""
    repeats = widgets.stops(
        "Resampling (times each step is made)", links.whole("repeats", 1, 1, 10), _REPEATS
    )
    st.caption(_REPEATS_HELP)
    return repeats


def choose_mask(picture: Picture) -> bytes:
    """Draw the picture as a sheet to paint on; returns the region, one bit a pixel."""
    parameter = _region()
    before = links.value(parameter)
    start = decode_mask(before) if before else _lower_half()
    mask = paint_mask(key="_region", picture=picture.pixels()[..., 0], mask=start, height=_SHEET)
    mask = start if mask is None else mask
    word = encode_mask(mask)
    links.keep(parameter, "" if word == encode_mask(_lower_half()) else word)
    return np.packbits(mask).tobytes()


def _lower_half() -> NDArray[np.bool_]:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[SIDE // 2 :] = True
    return mask


def _region() -> links.Parameter[str]:
    def parse(word: str) -> str:
        try:
            fits = decode_mask(word).shape == (SIDE, SIDE)
        except ValueError:
            fits = False
        if not fits:
            raise links.Refused("is not a painted region")
        return word

    return links.Parameter("region", "", parse)


def choose_damage() -> Damage:
    """Draw how the picture is spoilt before it is restored."""
    usual = Damage()
    words = {key: title for key, (title, _, _) in DAMAGES.items()}
    kind = widgets.segments("Damage", links.choice("damage", usual.kind, words), words)
    _, amounts, label = DAMAGES[kind]
    amount = 0.0
    if amounts:
        middle = amounts[len(amounts) // 2]
        parameter = links.number("amount", middle, amounts[0], amounts[-1], of=kind)
        amount = widgets.stops(label, parameter, amounts, form="{:g}", width=260)
    strong = 0.3 if kind == "noise" else usual.noise
    noise = widgets.stops(
        "Noise added (std)",
        links.number("noise", strong, 0, 1, of=kind),
        _NOISES,
        form="{:g}",
        width=260,
    )
    if kind == "downsample":
        amount = float(min(amounts, key=lambda known: abs(known - amount)))
    return Damage(kind, amount, noise)
