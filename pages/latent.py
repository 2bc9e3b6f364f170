"""The Latent space page: where a VAE's encoder puts pictures, and diffusion in that space."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.scenes.latent import LatentRun, flowing, map_of, priors, trouble
from diffviz.scenes.plays import Play
from diffviz.studies.bill import measured
from diffviz.studies.latents import read_figures
from diffviz.ui.choices import controls
from diffviz.ui.parts.atlas import atlas
from diffviz.ui.screens.latent import controls as latent_controls
from diffviz.ui.screens.latent import words as latent_words
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls
from diffviz.ui.stage.place import placed

KNOBS = {"guidance": ("guidance",)}

skeleton.begin("latent")


@st.fragment
def show_map(name: str) -> None:
    """Draw the map; a pin reruns only this."""
    place, words = theme.picture(), st.container()
    with place:
        view = wait_for(lambda watch: map_of(name, watch), "Decoding the map", st.empty())
        low, high = view.packed["limits"]
        parameter = latent_controls.pin_parameter(name, (low, high))
        pin = links.value(parameter)
        links.complaints(parameter.key)
        links.keep(parameter, atlas(view.packed, key=f"atlas_{name}", pin=pin))
    found = read_figures().get(name, {}).get(2)
    left, right = words.columns(2, gap="large")
    left.markdown(latent_words.about_map(name, view))
    right.markdown(latent_words.about_mismatch(name, found))
    right.markdown(latent_words.about_claim(found))
    links.sync()


@st.fragment
def show_flow(name: str) -> None:
    """Draw codes that flow from noise, and below them what is asked for."""
    with controls.bar("latent_asked"):
        classes = picture_controls.choose_classes(name)
        guidance = picture_controls.choose_guidance(1.0, of="latent")
    notes, picture = st.container(), theme.picture()
    walk, words = st.container(), st.container()
    with walk, controls.bar("walk"):
        schedule, sampler = picture_controls.choose_walk()
    run = LatentRun(name, schedule, sampler, classes, guidance)
    with notes:
        run = replace(run, count=latent_controls.afford(run))
    bar = picture.empty()
    made = wait_for(lambda watch: flowing(run, watch), f"{run.sampler.steps:,} steps", bar)
    with picture:
        placed(made.buffer, page="latent", play=Play("latent", run), knobs=KNOBS)
    words.markdown(latent_words.about_flow(run, made))
    links.sync()


@st.fragment
def show_priors(name: str) -> None:
    """Draw pictures of both priors of a VAE with 16 numbers, and how good they are."""
    with controls.bar():
        seed = controls.choose_seed()
    pictures, words = theme.picture(), st.container()
    found = measured(name)
    rows = latent_words.qualities(found)
    left, right = words.columns([1.1, 1], gap="large")
    why = trouble(name, 16)
    if why is not None:
        pictures.warning(
            f"The VAE with codes of 16 numbers cannot be asked. {why}", icon=":material/warning:"
        )
    else:
        with pictures:
            made = wait_for(lambda _: priors(name, 16, seed), "Both priors", st.empty())
            st.html(latent_words.priors_html(made))
        left.markdown(latent_words.about_priors(name, 16, read_figures().get(name, {}).get(16)))
    right.markdown(latent_words.answer(rows, name))
    if found is not None:
        right.markdown(latent_words.table(rows, found.samples))
    links.sync()


_SHOWS = {"map": show_map, "flow": show_flow, "priors": show_priors}

if not latent_controls.missing():
    with controls.bar("images_what"):
        of = latent_controls.choose_set()
        look = latent_controls.choose_show()
    _SHOWS[look](of)

skeleton.end("latent")
