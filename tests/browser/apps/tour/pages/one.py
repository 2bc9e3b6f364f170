"""One of two pages that share controls."""

from __future__ import annotations

import streamlit as st

from diffviz.ui import controls, links, theme

theme.header("Page one", "It shares its controls with the other page.", "exact")
with controls.bar(), controls.line():
    schedule = controls.choose_schedule()
step = links.get_step(51)
if st.button("Step 7"):
    links.set_step(7)
    step = 7
st.text(f"is {schedule.name} T={schedule.T} step={step}")
theme.questions(
    [
        ("Cosine here", "one", {"schedule": "cosine", "T": 100}),
        ("Sigmoid there", "two", {"schedule": "sigmoid", "T": 7, "zsnr": True}),
    ]
)
