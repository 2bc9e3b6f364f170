"""Every shared control on one page, and what it returned, for the tests of links."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from diffviz.ui.choices import controls
from diffviz.ui.shell import links, theme

st.set_page_config(page_title="controls", layout="wide")
theme.header("Controls", "Every shared control, and what each returned.", "exact")

with controls.bar():
    data = controls.choose_data()
    with controls.line():
        schedule = controls.choose_schedule()
        sampler = controls.choose_sampler(schedule)

counted = links.whole("step", 0, 0, sampler.steps, shared=False)
step = links.value(counted)
links.complaints("step")
columns = st.columns(6)
if columns[0].button("Step 7"):
    links.keep(counted, 7)
columns[1].button("Run again")

st.text(f"data {data.name} n={data.n} seed={data.seed} text={data.text}")
st.text(f"schedule {schedule.name} T={schedule.T} params={dict(schedule.params)}")
st.text(f"zero_snr={schedule.zero_snr} points={schedule.points}")
st.text(f"sampler {sampler.name} steps={sampler.steps} spacing={sampler.spacing}")
st.text(f"params={dict(sampler.params)} seed={sampler.seed} step={step}")
st.text(f"shape {tuple(data.load().shape)}")

built = schedule.build()
grid = sampler.grid(built)
figure = go.Figure(go.Scatter(x=grid.tolist(), y=built(grid)[0].tolist(), mode="lines+markers"))
figure.update_layout(xaxis_title="time t (0 is data, 1 is noise)", yaxis_title="alpha (signal)")
theme.chart(figure, key="alpha", alt="The signal left at each stop of the sampler.")
theme.questions(
    [
        ("What does the cosine schedule keep longer?", "home", {"schedule": "cosine", "T": 100}),
        ("Ten steps of Heun", "home", {"sampler": "heun", "steps": 10}),
    ]
)
