"""The part of the Generate page that explores what people bring."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.archives import MAX_ARCHIVE_BYTES
from diffviz.pipelines import PipelineError
from diffviz.ui import controls, generate_controls, links, yours_run
from diffviz.ui.preview import Preview, played
from diffviz.ui.reverse_words import time_words
from diffviz.ui.waiting import wait_for
from diffviz.ui.yours_run import Kind, Yours, YoursRun, yours
from diffviz.uploads import UploadError

__all__ = ["choose", "show"]

_HEIGHT = 520
_SLOT = "_yours_zip"
_ICONS = {"zip": "folder_zip", "folder": "folder", "pipeline": "model_training"}


def choose() -> tuple[Kind, str, int] | None:
    """Draw the choice of what is explored; None while there is nothing."""
    offered: dict[str, tuple[Kind, str]] = {"zip": ("zip", "A ZIP of your pictures")}
    offered |= {f"folder:{name}": ("folder", name) for name in yours_run.folders()}
    offered |= {f"pipeline:{name}": ("pipeline", name) for name in yours_run.pipelines()}
    parameter = links.choice("source", "zip", offered)
    chosen = links.bound(
        parameter,
        lambda key: st.selectbox(
            "What is explored",
            list(offered),
            format_func=lambda word: f":material/{_ICONS[offered[word][0]]}: {offered[word][1]}",
            key=key,
            width=300,
        ),
    )
    controls.complain("source")
    kind, name = offered[chosen]
    if kind == "zip":
        digest = _upload()
        return None if digest is None else ("zip", digest, 0)
    if kind == "folder":
        return kind, name, 0
    return _pipeline(name)


def _upload() -> str | None:
    file = st.file_uploader(
        f"A ZIP of PNG and JPEG pictures, at most {MAX_ARCHIVE_BYTES // 1_000_000} MB",
        key="_yours_upload",
        max_upload_size=MAX_ARCHIVE_BYTES // 1_000_000,
    )
    if file is not None and st.session_state.get("_yours_file") != file.file_id:
        try:
            digest, _ = yours_run.hold(file.getvalue())
        except UploadError as error:
            st.warning(f"{links.plain(str(error))}", icon=":material/warning:")
        else:
            st.session_state["_yours_file"] = file.file_id
            st.session_state[_SLOT] = digest
    kept = st.session_state.get(_SLOT)
    found = yours_run.held(kept) if isinstance(kept, str) else None
    if found is not None:
        _tell_skipped(found.skipped)
        return cast("str", kept)
    st.info(
        "Choose a ZIP: its pictures are cut to squares of 32 pixels, and their exact denoiser is "
        "worked out in closed form, without training. Nothing of it is written to disk, and it "
        "does not travel with links.",
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
        label = links.bound(
            links.whole("label", 0, 0, found.classes - 1, of=name),
            lambda key: st.number_input(
                "Class (what is asked for)", min_value=0, max_value=found.classes - 1, key=key
            ),
        )
    return "pipeline", name, int(label)


@st.fragment
def show(kind: Kind, name: str, label: int) -> None:
    """Draw the run, and below it the other controls; they rerun only this."""
    notes, picture, walk, words = (st.container() for _ in range(4))
    with walk, generate_controls.row():
        schedule, sampler = generate_controls.choose_walk()
        count, clipped = generate_controls.choose_count()
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
        preview, bar = Preview("yours", _HEIGHT), st.empty()
    made = wait_for(
        lambda watch: yours(run, watch, preview.take),
        f"{run.sampler.steps:,} steps",
        bar,
        preview.draw,
    )
    played(preview.place(), made.buffer, made.frames, run.count, "yours", _HEIGHT)
    return made


def _about(run: YoursRun, made: Yours) -> str:
    calls = "1 evaluation" if made.evaluations == 1 else f"{made.evaluations:,} evaluations"
    of = "your network" if run.kind == "pipeline" else "the exact denoiser of these pictures"
    parts = [f"**{calls}** of {of}, **{time_words(made.seconds)}** on this machine."]
    parts.append(made.sentence)
    if made.nearest:
        ends = ", ".join(dict.fromkeys(links.plain(name) for name in made.nearest[:4]))
        parts.append(
            f"**Memorisation.** Runs end {made.away.mean():.3f} (RMS) from a picture of the set on "
            f"average; the first ones are {ends}. That is all an exact denoiser of a finite set "
            "can do; a network would have to be trained to draw new ones."
        )
    return " ".join(parts)
