"""A picture drawn and a region painted, both kept in the address."""

from __future__ import annotations

import numpy as np
import streamlit as st

from diffviz.ui.parts.sheet import (
    decode_mask,
    decode_picture,
    draw_picture,
    encode_mask,
    encode_picture,
    paint_mask,
)

st.set_page_config(page_title="sheet", layout="wide")
st.session_state.runs = st.session_state.get("runs", 0) + 1

word = st.query_params.get("picture", "")
if st.button("Bar"):
    bar = np.zeros((28, 28), dtype=np.uint8)
    bar[:, 12:16] = 255
    word = encode_picture(bar)
wide = st.toggle("Wide")
if st.toggle("Note"):
    st.caption("Moves everything below, which is mounted again.")
left, right = st.columns(2)
with left:
    picture = draw_picture(key="picture", picture=decode_picture(word) if word else None)
if picture is not None:
    st.query_params["picture"] = encode_picture(picture)

word = st.query_params.get("region", "")
backdrop = np.zeros((16, 28) if wide else (20, 20), dtype=np.uint8)
backdrop[4:12, 4:12] = 200
region = decode_mask(word) if word else None
if region is not None and region.shape != backdrop.shape:
    region = None
with right:
    mask = paint_mask(key="region", picture=backdrop, mask=region)
if mask is not None:
    st.query_params["region"] = encode_mask(mask)

st.text(f"runs {st.session_state.runs}")
st.text("picture none" if picture is None else f"picture {np.count_nonzero(picture)}")
st.text("region none" if mask is None else f"region {np.count_nonzero(mask)} of {mask.shape}")
