"""What the page of the dog with a collar says and shows still, in numbers that were measured."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from diffviz.data.dogs import draw
from diffviz.scenes.collar import ASKED, Changed, CollarRun, Collars, Dog, GivenRun
from diffviz.scenes.picture_run import Floats
from diffviz.scenes.pngs import data_uri
from diffviz.ui.shell.theme import Palette
from diffviz.ui.stage.words import spent_words

_MOST = 1.0  # a difference that has the full colour


def difference(a: Floats, b: Floats, colors: Palette) -> Floats:
    """Return b - a of grey pictures as colours (3, H, W) in [-1, 1], on the diverging scale."""
    share = (np.clip((b - a)[0], -_MOST, _MOST) / _MOST + 1) / 2 * (len(colors.diverging) - 1)
    stops = np.array([_rgb(each) for each in colors.diverging])
    mixed = [np.interp(share, range(len(stops)), channel) for channel in stops.T]
    picture: Floats = (np.stack(mixed) / 127.5 - 1).astype(np.float32)
    return picture


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


# Dogs from noise --------------------------------------------------------------------------------


def about_rows(run: CollarRun, made: Collars) -> str:
    """How often the asked collar is there, and how much of the dog stays."""
    count = len(made.x[0])
    found = (made.probability > 0.5).sum(1)
    words = (
        f"**Asked for a collar, {found[2]} of {count} dogs have one; asked for none, {found[0]}; "
        f"left open, {found[1]}.** That is what the classifier says, a small network that was "
        "trained apart. "
    )
    if run.guidance == 0:
        words += "At w = 0 nothing is asked: the three rows are one. "
    else:
        words += (
            f"Switching the collar changes a pixel by {made.switched:.3f} on average, where two of "
            f"the dogs without one differ by {made.apart:.3f} (black to white is 2). "
            if count > 1
            else f"Switching the collar changes a pixel by {made.switched:.3f} on average. "
        )
    return (
        f"{words}{made.evaluations:,} evaluations of the network for the three of a dog, "
        f"{spent_words(made.seconds)} for all of them."
    )


def about_measured(kept: dict[str, Any]) -> str:
    """The figures of the shipped network, of ``collar_rates.kept_figures``."""
    if not kept:
        return "Measure the network with `python -m diffviz collars --write`."
    f, s = kept["figures"], kept["settings"]
    with_, without, with_plain, without_plain = (
        _percent(f[name]) for name in ("with", "without", "with_plain", "without_plain")
    )
    return (
        f"**Measured on {s['samples']:,} dogs of each kind at w = {s['guidance']:g}:** asked for a "
        f"collar, {with_} have one; asked for none, {without} have none. Plainly asked (w = 1): "
        f"{with_plain} and {without_plain}. Left open, {f['open']:.0%} have one; of "
        f"the drawings it learned from, {f['data']:.0%}. From the same noise the collar "
        f"changes a pixel near the neck by {f['neck']:.2f} and elsewhere by {f['rest']:.3f}; "
        f"another dog differs there by {f['two_rest']:.2f}."
    )


def _percent(share: float) -> str:
    """A share in so many digits that what is not all of them does not read 100 %."""
    return f"{100 * share:.4g}%"


def rows_html(made: Collars, colors: Palette, side: int = 56) -> str:
    """Where the three rows end, and below them what the collar changed, as HTML."""
    rows = [(words, dogs) for (words, _), dogs in zip(ASKED, made.x, strict=True)]
    pairs = zip(made.x[0], made.x[2], strict=True)
    rows.append(("difference", np.stack([difference(a, b, colors) for a, b in pairs])))
    cells = "".join(
        f'<div class="dv-dogs" style="--side: {side}px"><span>{words}</span>'
        + "".join(
            f'<img alt="Dog {k + 1}, {words}" src="{data_uri(dog, side)}">'
            for k, dog in enumerate(dogs)
        )
        + "</div>"
        for words, dogs in rows
    )
    return cells + _legend(colors)


def _legend(colors: Palette, darker: str = "darker by 1", brighter: str = "brighter by 1") -> str:
    ramp = f"linear-gradient(90deg,{','.join(colors.diverging)})"
    return f'<div class="dv-scale">{darker}<span style="background:{ramp}"></span>{brighter}</div>'


# A given dog ------------------------------------------------------------------------------------


def dog_html(dog: Dog, side: int = 112) -> str:
    """The reader's dog, where ``given_html`` will have it, as HTML."""
    return _strip(_figure("given", draw(dog.looks())[0].numpy(), side), side)


def about_given(run: GivenRun, made: Changed) -> str:
    """Whether the collar changed, and how much of the given dog stays."""
    before, _, after = made.probability
    did = "taken off" if run.dog.collar else "put on"
    worked = (after < 0.5) == run.dog.collar
    head = (
        f"**The collar is {did}**"
        if worked
        else f"**The collar is not {did}**: pull harder, with a larger w"
    )
    return (
        f"{head}: the classifier finds one with probability {before:.2f} in the given dog and "
        f"{after:.2f} in the changed one. Near the neck a pixel changes by {made.neck:.2f} on "
        f"average, elsewhere by {made.rest:.3f} (black to white is 2)."
    )


def about_trip(run: GivenRun, made: Changed) -> str:
    """How well the dog comes back, and what its noise is like."""
    mean, std = made.noise
    words = (
        f"{run.steps} steps of Heun's method up the probability-flow ODE, told what the dog wears, "
        f"and as many down. Told the same, it comes back {made.back:.3f} from itself, with a "
        f"collar at {made.probability[1]:.2f}. Its noise has mean {mean:.2f} and standard "
        f"deviation {std:.2f}; N(0, 1) has 0 and 1."
    )
    if std > 0.9:
        return words
    return (
        f"{words} It is fainter because a drawing is clean: where dogs never vary there is no "
        "grain in it that the ODE could spread."
    )


def about_given_measured(kept: dict[str, Any]) -> str:
    """The figures of given dogs, of ``collar_rates.kept_figures``."""
    if not kept:
        return about_measured(kept)
    f, s = kept["figures"], kept["settings"]
    put_on, taken_off = _percent(f["given_with"]), _percent(f["given_without"])
    return (
        f"**Measured on {s['given']:,} given dogs at w = {s['guidance']:g}:** a collar is put on "
        f"{put_on} of those without and taken off {taken_off} of those with one. Near the neck "
        f"a pixel changes by {f['given_neck']:.2f}, elsewhere by {f['given_rest']:.3f}; "
        f"told the same, the dogs come back {f['given_back']:.3f} from themselves."
    )


def given_html(run: GivenRun, made: Changed, colors: Palette, side: int = 112) -> str:
    """The given dog, its noise, what comes back, the changed one and the difference, as HTML."""
    given, noise, same, other = made.pictures
    cells = (
        ("given", given),
        ("its noise", noise),
        ("told the same", same),
        ("told: no collar" if run.dog.collar else "told: a collar", other),
        ("what changed", difference(given, other, colors)),
    )
    scale = _legend(colors, "-1", "+1")
    figures = [_figure(words, x, side) for words, x in cells[:-1]]
    return _strip("".join(figures) + _figure(*cells[-1], side, scale), side)


def _figure(words: str, x: Floats, side: int, below: str = "") -> str:
    return (
        f'<figure><img alt="{html.escape(words)}" src="{data_uri(x, side)}">'
        f"<figcaption>{html.escape(words)}</figcaption>{below}</figure>"
    )


def _strip(figures: str, side: int) -> str:
    return f'<div class="dv-trip" style="--side: {side}px">{figures}</div>'
