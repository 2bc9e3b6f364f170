"""What the page The bound says: the sum in large figures, the ladder of latents, and in words."""

from __future__ import annotations

from diffviz.scenes.bound import BoundRun, Floats, Rungs, Split
from diffviz.scenes.picture_sets import PICTURE_SETS
from diffviz.scenes.pngs import data_uri
from diffviz.studies.bill import SetBill
from diffviz.ui.shell.theme import Palette

_RAW = 8  # bits of a pixel of 256 values, written down as it is
_SIDE = 84  # of a picture on the ladder, in CSS pixels


def sum_html(run: BoundRun, found: Split, colors: Palette) -> str:
    """The terms and their sum in large figures, as HTML."""
    bound = found.bound
    steps = "1 learned step" if run.steps == 1 else f"{run.steps:,} learned steps"
    parts = [
        _figure(_bits(bound.prior), "prior", colors.noise),
        "+",
        _figure(_bits(float(bound.steps.sum())), steps, colors.learned),
        "+",
        _figure(_bits(bound.reconstruction), "last decoder", colors.data),
        "=",
        _figure(_bits(bound.total), "bits per dimension", colors.text, strong=True),
        '<span class="dv-apart"></span>',
        _figure(_bits(found.limit.total), "as T → ∞", colors.muted),
    ]
    body = "".join(p if p.startswith("<") else f'<span class="dv-sign">{p}</span>' for p in parts)
    return f'<div class="dv-sum">{body}</div>'


def _figure(value: str, words: str, color: str, *, strong: bool = False) -> str:
    weight = ";font-weight:650" if strong else ""
    return (
        f'<div style="border-left:4px solid {color};padding-left:0.5rem">'
        f'<b style="font-variant-numeric:tabular-nums{weight}">{value}</b>'
        f"<small>{words}</small></div>"
    )


def about(run: BoundRun, found: Split) -> str:
    """Where the bits are paid, and what is measured."""
    bound, end = found.bound, found.limit.total
    of = PICTURE_SETS[run.pictures]
    told = " and is told their class" if run.told == "class" else ""
    dearest = int(bound.steps.argmax())
    share = float(bound.steps[dearest]) / bound.total
    count = f"{found.curve.count:,} test pictures that the network has not seen{told}"
    parts = [
        f"**As T → ∞ the bound comes to {_bits(end)} ± {found.curve.uncertainty:.2f} bits per "
        f"dimension**, measured on {count} ({of.title}; ± is one standard error, predictions are "
        f"held in the pixels' range). Plainly, a pixel takes {_RAW}.",
    ]
    if bound.total > 1.005 * end:
        parts.append(
            f"At T = {run.steps:,} it is {_bits(bound.total - end)} higher: a decoder is one "
            "Gaussian, and the farther apart two stops are, the worse that fits."
        )
    else:
        parts.append(f"T = {run.steps:,} is enough: more steps change next to nothing.")
    if run.steps > 1:
        parts.append(
            f"The dearest step, number {run.steps - dearest:,} of {run.steps:,} from the data "
            f"(t = {found.times[dearest]:.3g} → {found.times[dearest + 1]:.3g}), takes {share:.0%} "
            "of it all."
        )
    parts.append(
        f"As a code, a picture would take {found.bytes_a_picture:,.0f} bytes; plainly it takes 784."
    )
    return " ".join(parts)


def about_lines(run: BoundRun, found: Split) -> str:
    """Why all schedules meet."""
    words = (
        "**The schedule only moves the terms about.** As T grows all lines meet: what is paid is "
        "half the area under one curve, the network's squared error over the SNR, and of the "
        "schedule only its two ends count (Kingma et al. 2021)."
    )
    if run.spacing == "log_snr":
        return (
            f"{words} With stops even in log-SNR the schedules even stop at nearly the same "
            "levels, so that their lines fall together at every T."
        )
    if found.bound.prior > 0.01:
        return (
            f"{words} This one ends before all is noise (log-SNR {found.log_snrs[0]:.1f}): the "
            f"prior asks {_bits(found.bound.prior)} bits for that."
        )
    return f"{words} What it does change is how many steps it takes to come near."


def vae_sentence(run: BoundRun, measured: SetBill | None, total: float) -> str:
    """Ordinary VAEs beside this bound; empty where none were measured.

    Args:
        run: what the bound was asked of.
        measured: the figures of the generators, if there are any.
        total: the bound on show.
    """
    if measured is None or not measured.bits:
        return ""
    size, best = min(measured.bits.items(), key=lambda item: item[1].elbo_bits)
    return (
        f"**An ordinary VAE with {size} latent numbers comes to {_bits(best.elbo_bits)} bits per "
        f"dimension on the same pictures**, where this chain of {run.steps:,} has {_bits(total)}."
    )


def ladder_html(found: Rungs, one: str, colors: Palette) -> str:
    """The latents as pictures between the fixed encoders and the learned decoders, as HTML.

    Args:
        found: the pictures.
        one: what one of them is called.
        colors: the reader's palette.
    """
    whose = f"a real {one}" if found.real else f"a {one} that the network drew"
    ends = {0: "cleanest stop", len(found.t) - 1: "pure noise"}
    latents = "".join(
        _cell(x, f"The latent at t = {t:.3g}", f"t = {t:.3g}", ends.get(k, ""))
        for k, (t, x) in enumerate(zip(found.t, found.x_t, strict=True))
    )
    guesses = "".join(
        _cell(x, f"The prediction at t = {t:.3g}", "", "")
        for t, x in zip(found.t, found.x_0, strict=True)
    )
    to_noise = _arrow(
        "encoders q(xₜ | xₛ): add noise. Fixed, nothing is learned", colors.noise, right=True
    )
    to_data = _arrow(
        "decoders p(xₛ | xₜ): learned. One network says x̂₀ (below), and xₛ is drawn between it "
        "and xₜ",
        colors.learned,
        right=False,
    )
    return (
        f'<div class="dv-rungs" role="group" aria-label="The ladder of latents: '
        f'{whose} on its way to noise">{to_noise}<div class="dv-rung">{latents}</div>{to_data}'
        f'<div class="dv-rung">{guesses}</div><div>The latents of {whose}, each as large as the '
        "picture, and what the network predicts from each.</div></div>"
    )


def _cell(x: Floats, alt: str, words: str, more: str) -> str:
    image = f'<img alt="{alt}" src="{data_uri(x, _SIDE)}">'
    caption = "<br>".join(part for part in (words, more) if part)
    under = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{image}{under}</figure>"


def _arrow(words: str, color: str, *, right: bool) -> str:
    line = f'<i style="border-color:{color}"></i>'
    head = f'<u aria-hidden="true" style="color:{color}">{"▶" if right else "◀"}</u>'
    tail = f"{line}{head}" if right else line
    lead = line if right else f"{head}{line}"
    return f'<div class="dv-arrow">{lead}<span>{words}</span>{tail}</div>'


def compared_html(run: BoundRun, found: Split) -> str:
    """A diffusion model beside an ordinary VAE, line by line, as HTML."""
    times = "once" if run.steps == 1 else f"{run.steps:,} times"
    rows = (
        ("encoder", "a network, learned", "adds noise; fixed"),
        (
            "latent",
            "one, far smaller than the picture",
            f"{run.steps + 1:,}, each as large as the picture",
        ),
        ("decoder", "a network, asked once", f"one network, asked {times}"),
        (
            "prior",
            "N(0, I); the encoder must be pressed towards it",
            f"N(0, I); the noise leads to it by itself ({_bits(found.bound.prior)} bits)",
        ),
        (
            "trained on",
            "the bound, all of it at once",
            "one term at a time, drawn by chance: a squared error",
        ),
    )
    body = "".join(
        f'<tr><th scope="row">{name}</th><td>{vae}</td><td>{chain}</td></tr>'
        for name, vae, chain in rows
    )
    return (
        '<table class="dv-vae"><thead><tr><td></td><th scope="col">ordinary VAE</th>'
        f'<th scope="col">diffusion model</th></tr></thead><tbody>{body}</tbody></table>'
    )


def _bits(value: float) -> str:
    if value == 0:
        return "0"
    if value < 0.0001:
        return "< 0.0001"
    if value < 0.01:
        return f"{value:.4f}"
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
