"""The Schedules page: any number of noise schedules side by side, and one to pull into shape."""

from __future__ import annotations

import streamlit as st

from diffviz.core.schedules import DiscreteVP
from diffviz.ui.choices import controls, scheduler_files
from diffviz.ui.parts import curve_figures
from diffviz.ui.parts.curve import Strip, curve
from diffviz.ui.screens.schedules import grey, overlay, strip
from diffviz.ui.shell import links, skeleton, theme

skeleton.begin("schedules")

with links.seen() as asked:
    view, axis_kind = overlay.choose_view()
    told = st.container()
    left, right = overlay.body()
    with right:
        names = overlay.choose_schedules()
        shown = overlay.choose_parameters(names)
        stops = overlay.choose_stops(shown) if shown else []
        image = strip.choose_image()
        scheduler_files.files(overlay.for_files(shown))
with told:
    links.complaints(*asked)

with left:
    if shown:
        lines = [
            curve_figures.line_of(each.name, each.label, each.schedule, view, before=each.before)
            for each in shown
        ]
        schedules = tuple(each.schedule for each in shown)
        curve(
            view,
            curve_figures.axis_of(view, lines, axis_kind),
            lines,
            key="schedules_curve",
            points=links.value(controls.CURVE) if "custom" in names else None,
            stops=stops,
            strip=Strip(image, strip.noise_for(image), schedules) if image is not None else None,
            on_points=overlay.moved,
        )
    else:
        st.info("Choose a schedule above to draw its curve.", icon=":material/show_chart:")

if shown:
    st.header("Every view at once", anchor=False)
    every = [(each.name, each.label, each.schedule) for each in shown]
    st.plotly_chart(
        curve_figures.schedule_views(every, theme.palette()),
        theme=None,
        key="views",
        alt=f"{overlay.VIEWS} over time for {', '.join(each.label for each in shown)}",
        config={"displayModeBar": False, "responsive": True},
    )
    st.caption(
        "beta and posterior variance belong to single noisings. Continuous schedules have none of "
        "their own: they are cut into 1,000 equal ones here."
    )

rescaled = next((each for each in shown if isinstance(each.before, DiscreteVP)), None)
if rescaled is not None and isinstance(rescaled.before, DiscreteVP):
    grey.show(rescaled.before, links.plain(rescaled.label))

skeleton.end("schedules")
