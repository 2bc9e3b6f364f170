"""The Schedules page: any number of noise schedules side by side, and one to pull into shape."""

from __future__ import annotations

import streamlit as st

from diffviz.ui import exchange, figures, links, overlay, strip, theme
from diffviz.ui.configs import CURVE
from diffviz.ui.curve import Strip, curve

theme.header(
    "Schedules",
    "How fast data give way to noise: each line is a schedule, each strip one image under it.",
)

names = overlay.choose_schedules()
view, axis_kind = overlay.choose_view()
told = st.container()
left, right = overlay.body()

with right:
    shown = overlay.choose_parameters(names)
    stops = overlay.choose_stops(shown) if shown else []
    image = strip.choose_image()
    exchange.files(overlay.for_files(shown))
with told:
    overlay.complain(names)

with left:
    if shown:
        lines = [
            figures.line_of(each.name, each.label, each.schedule, view, before=each.before)
            for each in shown
        ]
        schedules = tuple(each.schedule for each in shown)
        curve(
            view,
            figures.axis_of(view, lines, axis_kind),
            lines,
            key="curve",
            points=links.value(CURVE) if "custom" in names else None,
            stops=stops,
            strip=Strip(image, strip.noise_for(image), schedules) if image is not None else None,
            on_points=overlay.moved,
        )
    else:
        st.info("Choose a schedule above to draw its curve.", icon=":material/show_chart:")

if shown:
    st.subheader("Every view at once", anchor=False)
    every = [(each.name, each.label, each.schedule) for each in shown]
    st.plotly_chart(
        figures.schedule_views(every, theme.palette()),
        theme=None,
        key="views",
        alt=f"{overlay.VIEWS} over time for {', '.join(each.label for each in shown)}",
        config={"displayModeBar": False, "responsive": True},
    )
    st.caption(
        "beta and posterior variance belong to single noisings. Continuous schedules have none of "
        "their own: they are cut into 1,000 equal ones here."
    )

theme.questions(
    [
        (
            "Which schedule keeps the image recognisable longest, and where is that in log-SNR?",
            "schedules",
            {"schedules": "linear,cosine,sigmoid,rectified_flow", "view": "log_snr"},
        ),
        (
            "How much of the data does Stable Diffusion's chain leave at its last step?",
            "schedules",
            {"schedules": "scaled_linear", "view": "log_snr", "zsnr": True},
        ),
        (
            "Where do ten steps of a sampler go, if they are even in log-SNR?",
            "schedules",
            {"schedules": "cosine", "view": "log_snr", "spacings": "trailing,log_snr,karras"},
        ),
    ]
)
