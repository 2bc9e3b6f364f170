"""The pages Three generators and The bill, whatever was trained and measured.

The variable ``FIGURES`` says which: "made up" shows figures of a sample, "none" an app without
VAEs, GANs, their records and what was measured of them.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import streamlit as st

from diffviz.models import pretrained
from diffviz.scenes import generators as generators_run
from diffviz.scenes import generators_trained as generators_history
from diffviz.studies import bill
from diffviz.ui.shell import links

ROOT = Path(__file__).resolve().parents[3]
NOWHERE = ROOT / "tests" / "nowhere"

if os.environ["FIGURES"] == "made up":
    bill.KEPT = ROOT / "tests" / "bill_sample.json"
else:
    bill.KEPT = NOWHERE / "generators.json"
    generators_run.vae = partial(pretrained.vae, folder=NOWHERE)
    generators_run.forger = partial(pretrained.forger, folder=NOWHERE)
    generators_history.generator_stem = partial(pretrained.generator_stem, folder=NOWHERE)

st.set_page_config(page_title="generators", layout="wide", initial_sidebar_state=220)
page = st.navigation(
    [
        st.Page(lambda: st.text("Start"), title="Start", default=True),
        st.Page(ROOT / "pages" / "bill.py", title="The bill", url_path="bill"),
        st.Page(ROOT / "pages" / "generators.py", title="Three", url_path="generators"),
    ]
)
page.run()
links.sync()
