"""What only the Reverse page asks for: what denoises, how many samples, which arrows.

And what the player says back: the step, the followed sample and a moved start, all of them part of
the address.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from diffviz.models.checkpoints import Card, CheckpointError
from diffviz.scenes import models
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.point_run import MovedStart, RunConfig, affordable, has_true_density
from diffviz.studies.train import POINTS
from diffviz.ui.choices import controls, own_models, widgets
from diffviz.ui.choices.own_models import OwnModel
from diffviz.ui.parts.player import Result
from diffviz.ui.shell import links

DENOISERS = {"exact": "Exact", "learned": "Learned", "own": "Yours"}
"""What answers at each step: the word in the address and what the page says."""

EXACT_FOR = {"points": "These points", "density": "The true density"}
"""What the exact denoiser is exact for: the word in the address and what the page says."""

ARROWS = {"flow": "Flow", "score": "Score"}

_TRAIN_ONE = "A network that you train on the Training page can be chosen here too."

_ARROWS_HELP = (
    "Flow: where points of the deterministic run move. Score: where the density rises fastest."
)
_SAMPLES, _MOST_SAMPLES = 2000, 5000
_IMAGES, _MOST_IMAGES = 20, 100
_REACH = 6.0  # standard deviations of the starting noise
_WIDTH = 420  # pixels of the words about a denoiser


@dataclass(frozen=True)
class Acting:
    """What denoises.

    Attributes:
        points: whether the exact denoiser is that of the points; otherwise of the true density.
        model: the network that acts in its place, if one does.
        about: what that network is, in words; empty without one.
    """

    points: bool = True
    model: ModelConfig | None = None
    about: str = ""


def choose_denoiser(data: DataConfig) -> Acting:
    """Draw the choice of what denoises: the exact answer, a shipped network, one of the reader's.

    Images have the exact denoiser only, and no choice is drawn.
    """
    mine = [one for one in own_models.own() if models.fits(one.model, data)]
    offered = _offered(data, mine)
    parameter = _denoiser(data, offered)
    chosen = links.peek(parameter) if len(offered) > 1 else links.value(parameter)
    chosen = chosen if chosen in offered else "exact"
    acting = Acting()
    if data.kind != "image":
        icon = "check_circle" if chosen == "exact" else "model_training"
        with st.popover(
            f"Denoiser: {DENOISERS[chosen].lower()}",
            icon=f":material/{icon}:",
            help="What answers at each step",
        ):
            if len(offered) > 1:
                words = {name: DENOISERS[name] for name in offered}
                chosen = widgets.segments("What answers at each step", parameter, words)
            acting = _PARTS[chosen](data, mine)
            acting = replace(acting, points=_exact_for(data, chosen))
            if not mine:
                st.caption(_TRAIN_ONE, width=_WIDTH)
    if chosen != "own":
        links.value(_own([]))
    return acting


def _offered(data: DataConfig, mine: Sequence[OwnModel]) -> list[str]:
    offered = ["exact"]
    if models.shipped(data) is not None and _damage(data) is None:
        offered.append("learned")
    return [*offered, "own"] if mine else offered


def _damage(data: DataConfig) -> str | None:
    """Why the shipped network cannot be read, if it cannot."""
    model = models.shipped(data)
    assert model is not None
    try:
        models.checkpoint(model)
    except CheckpointError as error:
        return str(error)
    return None


def _denoiser(data: DataConfig, offered: Sequence[str]) -> links.Parameter[str]:
    """What answers, in the address; remembered apart where there is nothing to choose."""
    any_word = links.choice("denoiser", "exact", DENOISERS)

    def parse(word: str) -> str:
        if any_word.parse(word) in offered:
            return word
        if word == "learned":
            if models.shipped(data) is None:
                raise links.Refused(f"needs a trained network, and none ships for {data.title}")
            why = links.plain(_damage(data) or "")
            raise links.Refused(f"needs a network that cannot be read here ({why})")
        if own_models.own():
            raise links.Refused(f"needs a network for {data.kind} data, and yours is for others")
        raise links.Refused(
            "needs a network that you trained or loaded yourself: those stay in the session that "
            "made them and do not travel with links. Train one on the Training page, or load its "
            "files there"
        )

    return links.Parameter("denoiser", "exact", parse, of="" if len(offered) > 1 else "exact")


def _own(names: Sequence[str]) -> links.Parameter[str]:
    """Which of the reader's networks, by its digest; without any, what the address asks is left."""

    def parse(word: str) -> str:
        if not names or word in names or not word:
            return word if names else ""
        raise links.Refused("is none of your networks here", names[0])

    return links.Parameter("own", "", parse, of="" if names else "none")


def _exact_for(data: DataConfig, chosen: str) -> bool:
    """The switch between the points and the true density, where that is known."""
    if not has_true_density(data):
        return True
    label = "Exact for" if chosen == "exact" else "Compared with the exact denoiser of"
    parameter = links.choice("exact_for", "points", EXACT_FOR)
    return widgets.segments(label, parameter, EXACT_FOR) == "points"


def _exact(_data: DataConfig, _mine: Sequence[OwnModel]) -> Acting:
    _tell("The exact mean of the clean samples that x_t may come from, in closed form: no network.")
    return Acting()


def _learned(data: DataConfig, _mine: Sequence[OwnModel]) -> Acting:
    model = models.shipped(data)
    assert model is not None
    card = models.checkpoint(model).card
    about = f"a network, trained for {card.steps:,} steps on {POINTS:,} points of {data.title}"
    _tell(f"{_sentence(about)} It ships with the app; its answers are estimates. {_quality(card)}")
    return Acting(model=model, about=about)


def _yours(_data: DataConfig, mine: Sequence[OwnModel]) -> Acting:
    by_name = {one.model.name: one for one in mine}
    words = {name: one.model.title or name for name, one in by_name.items()}
    parameter = _own(list(words))
    if links.peek(parameter) not in words:
        links.keep(parameter, next(iter(words)))
    chosen = by_name[widgets.menu("Which of your networks", parameter, words, width=None)]
    card, data = chosen.checkpoint.card, chosen.data
    of = card.data if data is None else f"{data.n:,} points of {data.title}"
    about = f"your network, trained for {card.steps:,} steps on {links.plain(of)}"
    _tell(f"{_sentence(about)} It stays in this session; its answers are estimates.")
    return Acting(model=chosen.model, about=about)


def _tell(words: str) -> None:
    st.markdown(words, width=_WIDTH)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _quality(card: Card) -> str:
    """How well a network does, as its card says."""
    figures = card.metrics
    model, best = (figures.get(f"sliced_wasserstein{end}") for end in ("", "_independent"))
    if model is None or best is None:
        return ""
    return (
        f"2,000 of its samples are {model:.3f} (sliced Wasserstein, SW₂) from fresh data; "
        f"2,000 independent data points are {best:.3f} from it."
    )


_PARTS = {"exact": _exact, "learned": _learned, "own": _yours}


def choose_options(run: RunConfig) -> RunConfig:
    """Draw the page's own choices, in the row of the others; returns the run with them."""
    data, images = run.data, run.data.kind == "image"
    counted = links.whole(
        "samples",
        _IMAGES if images else _SAMPLES,
        1,
        _MOST_IMAGES if images else _MOST_SAMPLES,
        of="image" if images else "",
    )
    field = links.choice("arrows", "flow", ARROWS)
    with controls.more("View"):
        label, stride = "Samples (how many start from noise)", 1 if images else 100
        samples = widgets.number(label, counted, step=stride)
        arrows = "flow"
        if data.kind == "2-D":
            arrows = widgets.segments("Arrows", field, ARROWS, help=_ARROWS_HELP)
    return replace(run, samples=samples, arrows="score" if arrows == "score" else "flow")


def afford(run: RunConfig) -> RunConfig:
    """The run with as many samples as can be had in time; fewer than asked for is said."""
    samples = affordable(run)
    less = "fewer data points" if run.model is None else "a smaller network"
    controls.say_fewer(run.samples, samples, f"Fewer steps or {less}")
    return replace(run, samples=samples)


def moved_start(run: RunConfig) -> links.Parameter[MovedStart | None]:
    """The starting position chosen by hand, in the address as index,x,y."""
    schedule = run.schedule.build()
    reach = _REACH * schedule.prior_std(run.stops.grid()[0].item())

    def parse(word: str) -> MovedStart | None:
        parts = word.split(",")
        if len(parts) != 3:
            raise links.Refused("is not a point and its place, such as 17,0.5,-1.2")
        try:
            index = links.whole("moved", 0, 0, run.samples - 1).parse(parts[0])
            x, y = (links.number("moved", 0.0, -reach, reach).parse(part) for part in parts[1:])
        except links.Refused as error:  # what is had instead is no number, but no move
            raise links.Refused(f"has a number that {error}") from None
        return index, x, y

    def show(moved: MovedStart | None) -> str:
        return "" if moved is None else "{},{:.4g},{:.4g}".format(*moved)

    return links.Parameter("moved", None, parse, show, shared=False)


def take_moved(run: RunConfig, result: Result) -> bool:
    """Note a start that was just moved in the player; returns whether there is one."""
    if result.moved is None:
        return False
    parameter = moved_start(run)
    index, x, y = result.moved.index, result.moved.x, result.moved.y
    if not (math.isfinite(x) and math.isfinite(y)):
        return False
    try:
        links.keep(parameter, parameter.parse(parameter.show((index, x, y))))
    except links.Refused:  # dragged beyond what is allowed
        return False
    return True
