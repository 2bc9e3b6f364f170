"""What the Three generators page says: what a run took, and what holds of five claims.

Every verdict is read off the figures that ``python -m diffviz compare --write`` kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from diffviz.scenes.generators import KINDS, Drawn, Together
from diffviz.scenes.picture_run import GenerateRun
from diffviz.studies.bill import Row, SetBill, amount, duration

Holds: TypeAlias = Literal["holds", "in part", "does not hold", "not measured"]

_BADGES: dict[Holds, str] = {
    "holds": ":green-badge[:material/check_circle: holds]",
    "in part": ":orange-badge[:material/contrast: holds in part]",
    "does not hold": ":red-badge[:material/cancel: does not hold]",
    "not measured": ":gray-badge[:material/hourglass_empty: not measured]",
}
_HELPERS = {"vae": "encoder", "gan": "critic"}
_PIXELS = 784
_BETTER = 0.95  # a distance this share of another is better, not the same
_SAME = 0.02  # a difference of recall that counts


# About a run ------------------------------------------------------------------------------------


def about(run: GenerateRun, made: Together, drawn: Drawn) -> str:
    """What one generator started from, what it took, and whether it made what was asked."""
    calls = "1 call" if drawn.calls == 1 else f"{drawn.calls} calls"
    count = f"{run.count} pictures" if run.count > 1 else "1 picture"
    cost = f"**{KINDS[drawn.kind]}: {calls}, {duration(drawn.seconds)}** for {count}."
    size = f"{amount(drawn.parameters)} weights were trained"
    if drawn.helpers:
        size += f", {amount(drawn.helpers)} of them the {_HELPERS[drawn.kind]}'s, idle here"
    size += "."
    if drawn.kind == "vae":
        kinds = len(set(drawn.seen.tolist()))
        return (
            f"{cost} A code of {drawn.numbers} numbers from N(0, I) is decoded. No class can be "
            f"told: the classifier sees {kinds} {'classes' if kinds > 1 else 'class'}. {size}"
        )
    right = int((drawn.seen == made.labels).sum())
    asked = f"{right} of {run.count} are taken for what was asked."
    if drawn.kind == "gan":
        return f"{cost} {drawn.numbers} numbers and a class become a picture. {asked} {size}"
    twice = "two calls in each of " if drawn.calls == 2 * made.steps else ""
    fast = [d for d in made.drawn if d.kind != "diffusion" and d.seconds > 0]
    longer = ""
    if fast:
        slow = max(fast, key=lambda d: d.seconds)
        longer = f" {drawn.seconds / slow.seconds:,.0f} times as long as the {KINDS[slow.kind]}."
    return (
        f"{cost}{longer} Noise as large as the picture is undone in {twice}{made.steps} steps. "
        f"{asked} {size}"
    )


# The claims -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What the figures say of a claim.

    Attributes:
        holds: whether it holds.
        words: one or two sentences with the figures.
    """

    holds: Holds
    words: str


@dataclass(frozen=True)
class Claim:
    """Something that is said of diffusion models.

    Attributes:
        words: the claim.
        page: where it is shown, by its url path.
        link: what the link to it says.
        judge: the figures, and the bound of the diffusion model in bits a pixel if it is known, to
            a verdict; None where the figures for it are missing.
        unmeasured: what can be said without figures.
    """

    words: str
    page: str
    link: str
    judge: Callable[[SetBill, float | None], Verdict | None]
    unmeasured: str


def verdict_badge(holds: Holds) -> str:
    """A verdict as a badge in Markdown: a colour, a sign and a word."""
    return _BADGES[holds]


def verdicts(found: SetBill | None, bound: float | None = None) -> list[tuple[Claim, Verdict]]:
    """Each claim with its verdict.

    Args:
        found: the figures of a set; None while nothing is measured.
        bound: of the diffusion model, bits a pixel.
    """
    pairs = []
    for claim in CLAIMS:
        verdict = claim.judge(found, bound) if found is not None else None
        pairs.append((claim, verdict or Verdict("not measured", claim.unmeasured)))
    return pairs


def _works_with_latents(found: SetBill, _: float | None) -> Verdict | None:
    plain, latent = found.row("vae"), found.row("vae_latent")
    if plain is None or latent is None:
        return None
    change = _changes(plain.frechet, latent.frechet)
    return Verdict(
        "in part",
        f"Every noised picture is a latent, but one of {_PIXELS} numbers, as many as pixels, and "
        "nothing in it is learned. A small, learned space is a choice of its own: diffusion among "
        f"the 16 numbers of the VAE {change} its Fréchet distance from {plain.frechet:.3g} to "
        f"{latent.frechet:.3g}.",
    )


def _easier_to_sample(found: SetBill, _: float | None) -> Verdict | None:
    plain, latent, full = (found.row(key) for key in ("vae", "vae_latent", "diffusion"))
    if plain is None or latent is None or full is None:
        return None
    better = latent.frechet < _BETTER * plain.frechet
    gap = (
        f"sampling codes where they really lie brings {plain.frechet:.3g} down to "
        f"{latent.frechet:.3g}"
        if better
        else f"sampling codes where they really lie changes {plain.frechet:.3g} only to "
        f"{latent.frechet:.3g}"
    )
    return Verdict(
        "holds",
        "N(0, I) is the easiest space there is, and the last noise of diffusion fills it: from "
        f"there it reaches a Fréchet distance of {full.frechet:.3g}. The VAE promises the same of "
        f"its codes and keeps it {'less well' if better else 'about as well'}: {gap}.",
    )


def _generalises_vae(found: SetBill, bound: float | None) -> Verdict | None:
    bits = found.bits.get(16)
    if bits is None:
        return None
    words = (
        "A diffusion model is a VAE of many layers whose encoders are fixed, and it is trained on "
        "the same bound. The VAE of 16 numbers, whose pixels are Gaussian, needs "
        f"{bits.elbo_bits:.2f} bits a pixel, {bits.kl_bits:.3f} of them for the code"
    )
    compared = f"; the diffusion model needs {bound:.2f}." if bound is not None else "."
    return Verdict("in part", f"{words}{compared} But it learns no code that is small.")


def _improves(found: SetBill, _: float | None) -> Verdict | None:
    pairs = [(found.row(kind), found.row(f"{kind}_refined")) for kind in ("vae", "gan")]
    known = [(plain, fine) for plain, fine in pairs if plain is not None and fine is not None]
    if not known:
        return None
    better = [fine.frechet < _BETTER * plain.frechet for plain, fine in known]
    holds: Holds = "holds" if all(better) else "in part" if any(better) else "does not hold"
    parts = [
        f"{KINDS['vae' if plain.kind == 'vae' else 'gan']} {plain.frechet:.3g} to "
        f"{fine.frechet:.3g}{_level(fine)}{_recall(plain, fine)}"
        for plain, fine in known
    ]
    return Verdict(
        holds,
        "Noise their samples a little, let diffusion denoise them, and the Fréchet distance (of "
        f"{found.samples:,} each; of the fewer on Refine it is larger) goes from: "
        f"{'; '.join(parts)}.",
    )


def _costs_more(found: SetBill, _: float | None) -> Verdict | None:
    vae, gan, full = (found.row(key) for key in ("vae", "gan", "diffusion"))
    if vae is None or gan is None or full is None:
        return None
    slowest = max(vae.seconds_per_sample, gan.seconds_per_sample)
    if not slowest:
        return None
    ratio = full.seconds_per_sample / slowest
    training = full.train_seconds > max(vae.train_seconds, gan.train_seconds)
    holds: Holds = (
        "holds" if ratio > 1 and training else "in part" if ratio > 1 else "does not hold"
    )
    fine = [row for row in (found.row("vae_refined"), found.row("gan_refined")) if row is not None]
    joined = (
        f" Refining costs {' and '.join(duration(row.seconds_per_sample) for row in fine)}."
        if fine
        else ""
    )
    return Verdict(
        holds,
        f"A picture takes diffusion {full.nfe} calls and {duration(full.seconds_per_sample)}, "
        f"{_times(ratio)} as long as the slower of VAE and GAN "
        f"({duration(slowest)}); training took {duration(full.train_seconds)} against "
        f"{duration(vae.train_seconds)} and {duration(gan.train_seconds)}.{joined}",
    )


def _changes(before: float, after: float) -> str:
    return "improves" if after < _BETTER * before else "worsens" if before < after else "moves"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def _level(row: Row) -> str:
    return "" if row.level is None else f" at t = {row.level:.2g}"


def _recall(plain: Row, fine: Row) -> str:
    if abs(fine.recall - plain.recall) < _SAME:
        return ""
    return f" (recall {plain.recall:.2f} to {fine.recall:.2f})"


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "Diffusion models work with latent variables.",
        "latent",
        "Latent space",
        _works_with_latents,
        f"Every noised picture is a latent, but one of {_PIXELS} numbers, as many as pixels; a "
        "small, learned space is a choice of its own.",
    ),
    Claim(
        "They map data to a space that is easier to sample from.",
        "latent",
        "Latent space",
        _easier_to_sample,
        "N(0, I) is the easiest space there is. The VAE promises the same of its codes: whether it "
        "keeps that is measured.",
    ),
    Claim(
        "They are a generalisation of the VAE.",
        "bound",
        "The bound",
        _generalises_vae,
        "A diffusion model is a VAE of many layers whose encoders are fixed, and it is trained on "
        "the same bound; but it learns no code that is small.",
    ),
    Claim(
        "They can improve the samples that VAEs and GANs make.",
        "refine",
        "Refine",
        _improves,
        "Noise their samples a little and let diffusion denoise them: whether that helps is "
        "measured.",
    ),
    Claim(
        "They cost more than either alone.",
        "bill",
        "The bill",
        _costs_more,
        "A VAE and a GAN answer in one call; diffusion is asked at every step.",
    ),
)
"""What a popular introduction to diffusion models claims, each tested on a page."""
