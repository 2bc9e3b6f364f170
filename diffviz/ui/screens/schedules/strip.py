"""The image that the Schedules page shows under every schedule, and the noise it is mixed with."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import streamlit as st
import torch
from torch import Tensor

from diffviz.data.pictures import IMAGE_INFO, labelled_images
from diffviz.exchange.uploads import decode_image
from diffviz.ui.choices import uploader, widgets
from diffviz.ui.screens.schedules.overlay import slider
from diffviz.ui.shell import links

MAX_SIDE = 64
_ITEMS = 100


def choose_image() -> Tensor | None:
    """Draw the choice of the image that is shown under every schedule, (C, H, W) in [-1, 1]."""
    with st.expander("Image", key="_fold_image"):
        sources = [*IMAGE_INFO, "upload", "none"]
        titles = {name: info.title for name, info in IMAGE_INFO.items()}
        titles |= {"upload": "Your picture", "none": "No image"}
        parameter = replace(links.choice("image", "fashion", sources), shared=False)
        source = widgets.menu("Image under every schedule", parameter, titles, width=None)
        if source == "none":
            return None
        if source == "upload":
            return _upload()
        item = int(
            slider("Which one", links.whole("item", 0, 0, _ITEMS - 1, shared=False), range(_ITEMS))
        )
    return image_of(source, item)


@lru_cache(maxsize=64)
def image_of(source: str, item: int) -> Tensor:
    """Image number ``item`` of a set, in the order that seed 0 draws."""
    return labelled_images(source, _ITEMS, 0)[0][item]


def noise_for(image: Tensor, seed: int = 0) -> Tensor:
    """Standard normal noise of the image's shape, the same for every schedule."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(image.shape, generator=generator)


def _upload() -> Tensor:
    found = uploader.taken(uploader.PICTURE, "_strip_file", _read)
    st.caption("Pictures do not travel with links.")
    return image_of("fashion", 0) if found is None else found


def _read(data: bytes) -> Tensor:
    return squared(torch.from_numpy(decode_image(data, 4 * MAX_SIDE)))


def squared(pixels: Tensor) -> Tensor:
    """Pixels (H, W, C), uint8, as the (C, S, S) middle square in [-1, 1], S at most 64."""
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = pixels[top : top + side, left : left + side].permute(2, 0, 1).float() / 127.5 - 1
    if side <= MAX_SIDE:
        return middle
    size = (MAX_SIDE, MAX_SIDE)
    small = torch.nn.functional.interpolate(middle[None], size=size, mode="area")
    return small[0]
