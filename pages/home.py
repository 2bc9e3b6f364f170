"""The Home page: what this is, moving, and where to go from here."""

from __future__ import annotations

import streamlit as st

from diffviz.ui import home_run, theme
from diffviz.ui.player import player
from diffviz.ui.waiting import wait_for

_CSS = """
<style>
.st-key-home_cards {display: grid; gap: 0.8rem;
  grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr));}
.st-key-home_cards > div {width: auto; height: 100%;}
.st-key-home_cards img {
  display: block; width: 100%; max-height: 4rem; object-fit: contain; object-position: left;}
.st-key-home_cards p {font-size: 0.98rem; line-height: 1.4;}
.st-key-home_cards [data-testid="stPageLink"] a {padding-left: 0;}
.st-key-home_cards [data-testid="stPageLink"] p {font-size: 1.05rem; font-weight: 600;}
.st-key-home_compared {row-gap: 0;}
.st-key-home_compare [data-testid="stPageLink"] a {padding: 0;}
.st-key-home_compare [data-testid="stPageLink"] p {font-size: 1rem; font-weight: 600;}
@media (min-width: 641px) and (max-width: 1180px) {.st-key-home_cards img {display: none;}}
</style>
"""
CARDS = (
    (
        "Forward",
        "forward",
        "One noising at a time or in one jump. Is what is left really Gaussian?",
        home_run.forward_picture,
    ),
    (
        "Schedules",
        "schedules",
        "Ten noise schedules side by side, and one that you bend by hand.",
        home_run.schedules_picture,
    ),
    (
        "Reverse",
        "reverse",
        "Eleven samplers lead noise back to data, exactly or with a network.",
        home_run.reverse_picture,
    ),
    (
        "Training",
        "training",
        "A network learns the score before your eyes. Does it memorise?",
        home_run.training_picture,
    ),
    (
        "Guidance",
        "guidance",
        "Ask for one class, turn up the scale, and see what is lost.",
        home_run.guidance_picture,
    ),
    (
        "Arena",
        "arena",
        "Same noise, ten network calls each: who comes closest to the data?",
        home_run.arena_picture,
    ),
    (
        "Generate",
        "images",
        "A network draws digits and clothes. When does noise become a 7?",
        home_run.generate_picture,
    ),
    (
        "Edit",
        "edit",
        "Draw, and let it be redrawn; paint out, and let it be filled in.",
        home_run.edit_picture,
    ),
)
COMPARED = (
    ("Three generators", "generators"),
    ("Latent space", "latent"),
    ("Refine", "refine"),
    ("The bound", "bound"),
    ("A dog with a collar", "collar"),
    ("The bill", "bill"),
)

theme.header(
    "See diffusion happen",
    "Data fall apart into noise, and come back.",
    "exact",
)
st.html(_CSS)
left, right = st.columns([0.58, 0.42], gap="medium")
with left:
    place, bar = st.container(), st.empty()
    buffer = wait_for(lambda _: home_run.there_and_back(), "Noising a word", bar)
    with place:
        player(buffer, key="home", loop=True, link=None)
    st.markdown(
        r"Nothing here is faked: 2,000 points go into noise by "
        r"$x_t = \alpha_t x_0 + \sigma_t \varepsilon$, and an exact denoiser brings them back."
    )
    with st.container(key="home_compare", border=True, gap="xsmall"):
        st.markdown("Beside VAEs and GANs: what holds of what is said about diffusion models?")
        with st.container(horizontal=True, gap="medium", key="home_compared"):
            for title, page in COMPARED:
                st.page_link(
                    f"pages/{page}.py",
                    label=title,
                    icon=":material/arrow_forward:",
                    width="content",
                )
with right, st.container(key="home_cards"):
    for title, page, sentence, picture in CARDS:
        with st.container(border=True, gap="xsmall"):
            st.html(picture(theme.palette()))
            st.page_link(f"pages/{page}.py", label=title, icon=":material/arrow_forward:")
            st.markdown(sentence)

theme.questions(
    [
        ("Is pure noise ever reached? Watch 1,000 noisings of two moons", "forward", {}),
        ("Which schedule keeps a picture recognisable the longest?", "schedules", {}),
        ("What does an exact denoiser make of handwritten digits?", "reverse", {"data": "digits"}),
    ]
)
