"""The part of the Generate page that explores what people bring."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.exchange.archives import Pictures
from diffviz.exchange.pipelines import PipelineError
from diffviz.exchange.uploads import UploadError
from diffviz.scenes import yours as yours_run
from diffviz.scenes.yours import Kind, Yours, YoursRun, yours
from diffviz.ui.choices import controls, uploader, widgets
from diffviz.ui.choices.scheduler_files import Own
from diffviz.ui.shell import links, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls
from diffviz.ui.stage.place import placed
from diffviz.ui.stage.preview import Preview
from diffviz.ui.stage.words import spent_words


def choose() -> tuple[Kind, str, int] | None:
    """Draw the choice of what is explored; None while there is nothing."""
    offered: dict[str, tuple[Kind, str]] = {"zip": ("zip", "A ZIP of your pictures")}
    offered |= {f"folder:{name}": ("folder", name) for name in yours_run.folders()}
    offered |= {f"pipeline:{name}": ("pipeline", name) for name in yours_run.pipelines()}
    words = {
        word: name if kind == "zip" else f"{kind}: {name}" for word, (kind, name) in offered.items()
    }
    parameter = links.choice("source", "zip", offered)
    with controls.bar("yours"):
        kind, name = offered[widgets.menu("What is explored", parameter, words, width=240)]
        if kind == "zip":
            with st.popover("Choose a ZIP", icon=":material/upload:"):
                brought = uploader.taken(uploader.ZIP, "_yours_upload", yours_run.hold)
    if kind == "zip":
        digest = _held(brought)
        return None if digest is None else ("zip", digest, 0)
    if kind == "folder":
        return kind, name, 0
    return _pipeline(name)


def _held(brought: tuple[str, Pictures] | None) -> str | None:
    """The number of the pictures that were brought; without any, say what becomes of them."""
    if brought is not None:
        digest, pictures = brought
        yours_run.keep(digest, pictures)  # it may have been let go since
        _tell_skipped(pictures.skipped)
        return digest
    st.info(
        "Choose a ZIP with the button above: its pictures are cut to squares of 32 pixels, and "
        "their exact denoiser is worked out in closed form, without training. Nothing of it is "
        "written to disk, and it does not travel with links.",
        icon=":material/folder_zip:",
    )
    return None


def _tell_skipped(skipped: tuple[tuple[str, str], ...]) -> None:
    if not skipped:
        return
    told = "; ".join(f"{links.plain(name)}: {links.plain(why)}" for name, why in skipped[:3])
    more = f", and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    st.info(f"Left out: {told}{more}.", icon=":material/info:")


def _pipeline(name: str) -> tuple[Kind, str, int] | None:
    try:
        found = yours_run.pipeline(name)
    except PipelineError as error:
        st.warning(links.plain(str(error)), icon=":material/warning:")
        return None
    label = 0
    if found.classes:
        labels = links.whole("label", 0, 0, found.classes - 1, of=name)
        label = widgets.number("Class (what is asked for)", labels, step=1)
    return "pipeline", name, label


@st.fragment
def show(kind: Kind, name: str, label: int) -> None:
    """Draw the run, and below it the other controls; they rerun only this."""
    notes, picture = st.container(), theme.picture()
    walk, words = st.container(), st.container()
    with walk, controls.bar("walk"):
        source = yours_run.scheduler_of(kind, name)
        own = None if source is None else Own(source, name)
        schedule, sampler = picture_controls.choose_walk(own)
        count, clipped = picture_controls.choose_count()
    run = YoursRun(kind, name, schedule, sampler, count, label, clipped)
    try:
        can = yours_run.affordable(run)
        with notes:
            controls.say_fewer(run.count, can, "Fewer steps")
        run = replace(run, count=can)
        words.markdown(_about(run, _shown(run, picture)))
    except (UploadError, PipelineError, ValueError) as error:
        notes.warning(links.plain(str(error)), icon=":material/warning:")
    links.sync()


def _shown(run: YoursRun, picture: DeltaGenerator) -> Yours:
    with picture:
        preview, bar = Preview("yours"), st.empty()
    made = wait_for(
        lambda watch: yours(run, watch, preview.take),
        f"{run.sampler.steps:,} steps",
        bar,
        preview.draw,
    )
    with preview.place():
        placed(made.buffer, page="yours")
    return made


def _about(run: YoursRun, made: Yours) -> str:
    calls = "1 evaluation" if made.evaluations == 1 else f"{made.evaluations:,} evaluations"
    of = "your network" if run.kind == "pipeline" else "the exact denoiser of these pictures"
    parts = [f"**{calls}** of {of}, **{spent_words(made.seconds)}**."]
    parts.append(made.sentence)
    if run.by_its_file:
        parts.append(links.plain(yours_run.about_file(run)))
    if made.nearest:
        ends = ", ".join(dict.fromkeys(links.plain(name) for name in made.nearest[:4]))
        parts.append(
            f"**Memorisation.** Runs end {made.away.mean():.3f} (RMS) from a picture of the set on "
            f"average; the first ones are {ends}. That is all an exact denoiser of a finite set "
            "can do; a network would have to be trained to draw new ones."
        )
    return " ".join(parts)
