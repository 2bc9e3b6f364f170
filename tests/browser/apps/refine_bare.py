"""The Refine page where nothing was measured and no GAN is installed."""

from __future__ import annotations

import runpy
from pathlib import Path

import streamlit as st

from diffviz.models import pretrained
from diffviz.studies import refine

st.set_page_config(layout="wide")
HERE = Path(__file__).parent
NOWHERE = HERE / "nothing-is-here"

refine.stored.__defaults__ = (NOWHERE / "refine.json",)
refine.forger = lambda name, _folder: pretrained.forger(name, NOWHERE)

runpy.run_path(str(HERE.parents[2] / "pages" / "refine.py"), run_name="__main__")
