"""What the Latent space page says, in numbers that were measured on the codes."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Protocol

from diffviz.scenes.latent import Flowing, LatentRun, MapView, Priors
from diffviz.scenes.picture_sets import PICTURE_SETS
from diffviz.scenes.pngs import contact_sheet
from diffviz.studies.bill import SetBill
from diffviz.studies.latents import Between, Figures
from diffviz.ui.stage.words import time_words

_ROWS = {
    "vae2": "VAE of 2 numbers, its own prior",
    "vae2_latent": "VAE of 2 numbers, diffusion as prior",
    "vae": "VAE of 16 numbers, its own prior",
    "vae_latent": "VAE of 16 numbers, diffusion as prior",
    "diffusion": "Diffusion of the pixels themselves",
}
_MEASURE = "`DIFFVIZ_DATA=folder python -m diffviz latents {name}`"
_CLOSE = 1.0  # nats between the ends of a divergence that is known
_COVERED = 0.05  # by which recall must differ to be spoken of
_RATIO = 1.1  # below which two Frechet distances are called alike


def nats(value: float | Between) -> str:
    """A divergence in words: one number where both ends of what is known say the same."""
    if not isinstance(value, Between):
        return f"{value:.2f} nats"
    low, high = (f"{v:.2f}" for v in value)
    if low == high:
        return f"{low} nats"
    return f"at most {high} nats" if low == "0.00" else f"{low} to {high} nats"


def _known(figures: Figures) -> bool:
    """Whether the divergence from the prior is known closely: in few dimensions."""
    return figures.own_miss.high - figures.own_miss.low < _CLOSE


def _cost(figures: Figures) -> str:
    """What a code costs under either prior."""
    rate, gain = figures.surgery.rate, figures.model.gain
    return f"{rate:.1f} nats under N(0, I), {rate - gain:.1f} under diffusion"


# The map ----------------------------------------------------------------------------------------


def about_map(name: str, view: MapView) -> str:
    """What the map shows, and how exact it is."""
    beyond = f"; {view.beyond:,} more lie beyond its edge" if view.beyond else ""
    shown = view.pictures - view.beyond
    return (
        f"**Every dot is a test {PICTURE_SETS[name].one}, at the two numbers that the encoder "
        f"makes of it** ({shown:,}, which no model has seen{beyond}). Blue lines, smoothed by "
        f"{view.smoothed:.2f}, hold 39 % and 86 % of the codes, the dashed circles as much of the "
        "prior that samples come from: a VAE would be sampled well if they agreed. A code is a "
        f"small cloud itself, of standard deviation {view.spread:.2f} (the median). Between "
        f"decoded codes the picture is mixed from the nearest four, {view.error:.2f} from the "
        "decoded one (RMS in units of [-1, 1])."
    )


def about_mismatch(name: str, figures: Figures | None) -> str:
    """How far the prior is from the aggregate posterior, and the diffusion model."""
    if figures is None:
        return (
            "The mismatch of prior and encoder has not been measured for these files. Measure it "
            f"with {_MEASURE.format(name=name)}."
        )
    rate, worth = figures.surgery.rate, figures.model
    bounds = (
        ""
        if nats(figures.own_miss).count(".") == 1
        else f" ({figures.pictures:,} pictures tell it only between two bounds)"
    )
    return (
        f"**The prior misses the encoder's codes by {nats(figures.own_miss)}**, KL(q(z) ‖ N(0, I))"
        f"{bounds}. A diffusion model in its place makes a code **{worth.gain:.2f} nats cheaper** "
        f"(± {worth.error:.2f}) and misses them by **{nats(figures.model_miss)}**. Of the "
        f"{nats(rate)} that the VAE pays for a code, {nats(figures.information)} tell of the "
        "picture; the rest is that mismatch (Hoffman and Johnson 2016). By sliced Wasserstein "
        f"distance: prior {figures.prior.sliced_wasserstein:.2f}, diffusion "
        f"{figures.diffusion.sliced_wasserstein:.2f}, two draws of the codes themselves "
        f"{figures.floor.sliced_wasserstein:.2f}."
    )


def about_claim(figures: Figures | None) -> str:
    """What holds of the claim that diffusion maps data to a space that is easier to sample."""
    plain = (
        "**“Diffusion models map data to a latent space that is easier to sample.”** A plain "
        "diffusion model's latents x_t are as large as the data and its encoder is fixed, so it "
        "learns no space at all. A VAE learns a small one, but its prior is not where its encoder "
        "puts pictures, and "
    )
    if figures is None:
        return f"{plain}that mismatch is what diffusion in its space is there to mend."
    gain, error = figures.model.gain, figures.model.error
    if gain > 3 * error:
        gap = f"{nats(figures.own_miss)} before, {nats(figures.model_miss)} after"
        return f"{plain}diffusion in that space mends the mismatch: {gap}."
    return f"{plain}here diffusion in that space does not come closer: it gains {gain:.2f} nats."


# Latent diffusion -------------------------------------------------------------------------------


def about_flow(run: LatentRun, made: Flowing) -> str:
    """What the run did to the codes, and what it cost."""
    calls = "1 evaluation" if made.evaluations == 1 else f"{made.evaluations:,} evaluations"
    told = (
        "No class is told, so that colours stand for nothing but noise and code."
        if run.guidance == 0
        else "Colours are the classes that were asked for."
    )
    return (
        f"**From N(0, I), {made.start:.2f} from the encoder's codes, to {made.end:.2f}; a second "
        f"draw of those codes comes within {made.floor:.2f}** (sliced Wasserstein distance, in "
        "units of their spread: u = (z - mean) / std). Behind the dots is the density of the "
        f"encoder's codes at the same noise. {told} {run.count:,} codes of 2 numbers took "
        f"{calls} of a small network and **{time_words(made.seconds)}**; only the decoder sees "
        "pixels. Click a small picture or a dot nearby to follow it."
    )


# Which prior ------------------------------------------------------------------------------------


class Quality(Protocol):
    """What is measured of samples: a row of the bill, or what real pictures measure."""

    @property
    def frechet(self) -> float:
        """Frechet distance of features to the test set's: less is better."""

    @property
    def precision(self) -> float:
        """Share of samples that lie among real pictures."""

    @property
    def recall(self) -> float:
        """Share of real pictures that lie among samples."""


def qualities(found: SetBill | None) -> Mapping[str, Quality]:
    """Return key to quality; "floor" is that of real pictures.  Nothing where nothing is known."""
    if found is None:
        return {}
    return {**{row.key: row for row in found.rows}, "floor": found.floor}


def about_priors(name: str, latent: int, figures: Figures | None) -> str:
    """What the two rows of pictures are, and how far each prior is from the codes."""
    say = (
        f"**Two priors, one decoder.** Both sets are drawn now from a VAE with codes of {latent} "
        "numbers: one from its own prior N(0, I), the other from a diffusion model of the codes "
        "that its encoder makes."
    )
    if figures is None:
        return f"{say} How far each is from the codes has not been measured for these files."
    far = (
        f"Sliced Wasserstein distance to them: {figures.prior.sliced_wasserstein:.2f} and "
        f"{figures.diffusion.sliced_wasserstein:.2f}, floor "
        f"{figures.floor.sliced_wasserstein:.2f}."
    )
    if _known(figures):
        return (
            f"{say} The own prior misses the encoder's codes by {nats(figures.own_miss)}, "
            f"diffusion by {nats(figures.model_miss)}. {far}"
        )
    return (
        f"{say} **A test picture's code costs {_cost(figures)}.** So the own prior misses the "
        f"encoder's codes by at least {figures.model.gain:.1f} nats "
        f"(± {figures.model.error:.1f}). More cannot be told: in so many "
        f"dimensions the codes of {figures.pictures:,} pictures hardly overlap, so their "
        f"density is not known. {far}"
    )


def answer(rows: Mapping[str, Quality], name: str) -> str:
    """Whether the diffusion prior makes samples better, from the measured quality."""
    own, mended = rows.get("vae"), rows.get("vae_latent")
    if own is None or mended is None:
        return (
            "How good the samples are was not measured for these files: `python -m "
            f"diffviz compare` does it, and this page then answers for {name} whether a diffusion "
            "prior improves them."
        )
    ratio = own.frechet / max(mended.frechet, 1e-9)
    figures = (
        f"the Fréchet distance goes from {own.frechet:.2f} to {mended.frechet:.2f}, precision from "
        f"{own.precision:.0%} to {mended.precision:.0%}, recall from {own.recall:.0%} to "
        f"{mended.recall:.0%}"
    )
    if ratio > _RATIO:
        verdict = f"**Yes: with diffusion as the prior the samples are better**: {figures}."
    elif ratio < 1 / _RATIO:
        verdict = f"**No: with diffusion as the prior the samples are worse**: {figures}."
    else:
        verdict = f"**The prior hardly matters here**: {figures}."
    if mended.recall < own.recall - _COVERED:
        verdict += " They cover less of the real pictures, though."
    elif mended.recall > own.recall + _COVERED:
        verdict += " They cover more of the real pictures, too."
    pixels = rows.get("diffusion")
    if pixels is None:
        return verdict
    nearer = "still nearer to the real ones" if pixels.frechet < mended.frechet else "no nearer"
    return (
        f"{verdict} The decoder is the same and stays blurry; diffusion of the pixels themselves "
        f"is {nearer}, at {pixels.frechet:.2f}."
    )


def table(rows: Mapping[str, Quality], samples: int) -> str:
    """The measured quality as a Markdown table."""
    head = "| | Fréchet distance | precision | recall |\n|---|---:|---:|---:|\n"
    named = {**_ROWS, "floor": f"Real pictures, {samples:,} as the samples"}
    body = "".join(
        f"| {words} | {rows[key].frechet:.2f} | {rows[key].precision:.0%} | "
        f"{rows[key].recall:.0%} |\n"
        for key, words in named.items()
        if key in rows
    )
    return head + body


def priors_html(made: Priors) -> str:
    """The pictures of either prior, one block above the other, as HTML."""
    blocks = (
        ("N(0, I), the VAE's own prior", made.own, "#7F7F7F"),
        ("Diffusion as the prior", made.diffusion, "#D55E00"),
    )
    cells = "".join(
        f'<figure style="margin:0;flex:1 1 20rem;min-width:0"><figcaption style="border-left:4px '
        f'solid {color};padding-left:0.5rem;margin-bottom:0.4rem;font-weight:600">'
        f'{html.escape(words)}</figcaption><img alt="Pictures: {html.escape(words)}" '
        f'src="{contact_sheet(x, 8, 56)}" style="width:100%;max-width:34rem;'
        'image-rendering:pixelated;display:block"></figure>'
        for words, x, color in blocks
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:1.2rem">{cells}</div>'
