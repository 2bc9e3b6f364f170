"""What the Guidance page says about its runs."""

from __future__ import annotations

import math

from diffviz.data.points import MIXTURES
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.guidance import SMOOTHING, Measures, Setting, Shown
from diffviz.ui.shell import links

_NAMES = {
    "moons": ("Upper moon", "Lower moon"),
    "circles": ("Outer ring", "Inner ring"),
    "smiley": ("Outline", "Eyes", "Smile"),
}
_NEAR = 1.5  # times the floor: no farther off than chance


def class_name(data: DataConfig, label: int) -> str:
    """What a class is called."""
    names = _NAMES.get(data.name) if data.table is None else data.table.classes
    return names[label] if names else str(label)


def title_of(setting: Setting) -> str:
    """The class asked for, as part of a sentence."""
    if setting.label is None:
        return "the class each was asked for"
    name = class_name(setting.data, setting.label)
    if name.isdigit():
        return f"class {name}"
    return f"the class “{links.plain(name if setting.data.table else name.lower())}”"


def about_run(setting: Setting, made: Shown, now: Measures, plain: Measures) -> str:
    """What the scale did, in figures.

    Args:
        setting: of the runs.
        made: the runs.
        now: measured at the chosen scale.
        plain: measured at w = 1.
    """
    if math.isnan(now.spread):
        width = "A lone sample of a class has no width to compare"
    elif now.scale == 1:
        width = "They lie as the class does"
    else:
        width = f"They lie **{now.spread / plain.spread:.0%}** as wide as at w = 1"
    return (
        f"At **w = {now.scale:g}** the exact classifier gives {title_of(setting)} a share of "
        f"**{now.share:.0%}** in the samples (w = 1: {plain.share:.0%}). {width}. "
        f"{_verdict(now)} The guided run took {made.guided.evaluations:,} evaluations"
        f"{'' if now.scale in (0, 1) else ', two for each guided answer'}. "
        "A sample's colour is the class that it ends in."
    )


def _verdict(now: Measures) -> str:
    figures = f"{now.distance:.3f}, where exact draws are {now.floor:.3f} away"
    if now.distance <= _NEAR * now.floor:
        return f"They are what was promised: SW₂ to the target is {figures}."
    return f"They are **not** what was promised: SW₂ to the target is **{figures}**."


def about_target(setting: Setting) -> str:
    """What the target is, why sampling misses it, and what the badges mean."""
    density = (
        "a mixture in closed form"
        if setting.data.name in MIXTURES
        else f"{setting.data.n:,} points, each a bell of width {SMOOTHING:g}"
    )
    who = (
        "Both of its parts are exact, but for w other than 0 and 1 their mix is the posterior mean "
        "of no data at all, so the guided panel has no badge."
        if setting.model is None
        else "All three fields are the network's; target and classifier are exact."
    )
    return (
        "**Why samples can miss it.** At each noise level the guided score is the slope of "
        "pₜ(x) pₜ(c|x)ʷ, drawn behind the samples. But those densities are not the target "
        "p(x) p(c|x)ʷ with noise added, unless w is 0 or 1, so following them does not lead to it "
        "([Bradley and Nakkiran 2024](https://arxiv.org/abs/2408.09000)). While there is much "
        "noise the classes overlap and guidance pushes away from the others; later the class is "
        "decided, and only fresh noise (DDPM, Langevin) brings the samples back. The density is "
        f"that of {density}. {who}"
    )
