"""The Training page: a network learns to denoise, beside the exact answer."""

from __future__ import annotations

import streamlit as st

from diffviz.ui import theme, training_controls

theme.header("Training", "Watch a network learn to denoise, beside the exact answer.", "learned")

if training_controls.choose_mode() == "memorise":
    try:
        from diffviz.ui import memorise
    except ImportError:
        st.info("This experiment is being set up.")
    else:
        memorise.page()
else:
    st.empty()
