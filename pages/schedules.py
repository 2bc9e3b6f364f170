"""The Schedules page: any number of noise schedules side by side, and one to pull into shape."""

from __future__ import annotations

import streamlit as st

from diffviz.core.schedules import DiscreteVP
from diffviz.scenes.overlay import Overlay, drawn, shown
from diffviz.ui.choices import controls, scheduler_files
from diffviz.ui.parts import curve_figures
from diffviz.ui.parts.curve import Strip, curve
from diffviz.ui.screens.schedules import grey, overlay, strip
from diffviz.ui.shell import links, skeleton, theme

skeleton.begin("schedules")

with links.seen() as asked:
    view, axis = overlay.choose_view()
    told = st.container()
    left, right = overlay.body()
    with right:
        names = overlay.choose_schedules()
        configs, zero = overlay.choose_parameters(names)
        every = [shown(config, zero=zero) for config in configs]
        chosen = Overlay(tuple(configs), zero, view, axis)
        if configs:
            chosen = Overlay(tuple(configs), zero, view, axis, *overlay.choose_stops(configs))
        drawing = drawn(chosen)
        overlay.tell(chosen, drawing.troubles)
        image = strip.choose_image()
        scheduler_files.files(overlay.for_files(every))
with told:
    links.complaints(*asked)

with left:
    if every:
        curve(
            drawing,
            key="schedules_curve",
            points=links.value(controls.CURVE) if "custom" in names else None,
            strip=Strip(image, strip.noise_for(image)) if image is not None else None,
            turns=overlay.turns(chosen),
            others=overlay.others(chosen),
            on_points=overlay.moved,
        )
    else:
        st.info("Choose a schedule above to draw its curve.", icon=":material/show_chart:")

if every:
    st.header("Every view at once", anchor=False)
    lines = [(each.name, each.label, each.schedule) for each in every]
    st.plotly_chart(
        curve_figures.schedule_views(lines, theme.palette()),
        theme=None,
        key="views",
        alt=f"{overlay.VIEWS} over time for {', '.join(each.label for each in every)}",
        config={"displayModeBar": False, "responsive": True},
    )
    st.caption(
        "beta and posterior variance belong to single noisings. Continuous schedules have none of "
        "their own: they are cut into 1,000 equal ones here."
    )

rescaled = next((each for each in every if isinstance(each.before, DiscreteVP)), None)
if rescaled is not None and isinstance(rescaled.before, DiscreteVP):
    grey.show(rescaled.before, links.plain(rescaled.label))

skeleton.end("schedules")
