"""One of two pages that share controls."""

from __future__ import annotations

import streamlit as st

from diffviz.ui.choices import controls
from diffviz.ui.shell import links, theme

theme.header("Page two", "It shares its controls with the other page.", "exact")
with controls.bar(), controls.line():
    schedule = controls.choose_schedule()
counted = links.whole("step", 0, 0, 50, shared=False)
step = links.value(counted)
links.complaints("step")
if st.button("Step 7"):
    links.keep(counted, 7)
    step = 7
st.text(f"is {schedule.name} T={schedule.T} step={step}")
theme.questions(
    [
        ("Cosine here", "two", {"schedule": "cosine", "T": 100}),
        ("Sigmoid there", "one", {"schedule": "sigmoid", "T": 7, "zsnr": True}),
    ]
)
