"""A sheet to draw on, kept in the address, and what came out of it."""

from __future__ import annotations

from uuid import uuid4

import streamlit as st

from diffviz.data.points import from_drawing
from diffviz.exchange.drawings import decode_points, encode_points
from diffviz.ui.parts.pad import draw_points

st.set_page_config(page_title="canvas", layout="wide")
st.session_state.runs = st.session_state.get("runs", 0) + 1
visit = st.session_state.setdefault("visit", uuid4().hex)  # the browser remembers sheets by key

word = st.query_params.get("drawing", "")
if st.button("Square"):
    word = encode_points([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
shown = st.toggle("Shown", value=True)
points = None
if shown:
    points = draw_points(
        key=f"sheet-{visit}", points=decode_points(word) if word else None, height=300
    )
if points is not None:
    word = encode_points(points)
if word:
    st.query_params["drawing"] = word
else:
    st.query_params.pop("drawing", None)

st.text(f"runs {st.session_state.runs}")
if points is None:
    st.text("drawing none")
else:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    st.text(f"drawing {len(points)}")
    if points:
        box = f"{min(xs):.2f} {max(xs):.2f} {min(ys):.2f} {max(ys):.2f}"
        st.text(f"box {box}")
        st.text(f"cloud {tuple(from_drawing(points, 100, 0).shape)}")
