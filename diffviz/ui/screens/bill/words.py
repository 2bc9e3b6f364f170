"""What the bill says: its table, and sentences that are read off the figures."""

from __future__ import annotations

import html
from collections.abc import Sequence

from diffviz.studies.bill import Row, SetBill, amount, duration
from diffviz.ui.screens.bill.figures import kind_colors, kind_mark
from diffviz.ui.shell.theme import Palette

_JOINED = (
    ("vae_latent", "vae", "A prior by diffusion for the VAE of 16 numbers"),
    ("vae_refined", "vae", "Refining the VAE's samples"),
    ("gan_refined", "gan", "Refining the GAN's samples"),
)
_RARE = 0.05  # a class with less than this share is hardly made
_SAME = 0.05  # a distance changed by less than this share is the same

_HEADS = (
    ("generator", "One way to make a picture"),
    ("Fréchet", "Fréchet distance of the classifier's features to those of the test set"),
    ("precision", "Share of the pictures that lie among real ones"),
    ("recall", "Share of real pictures that lie among these"),
    ("as asked", "Share that the classifier takes for the class that was asked for"),
    ("calls", "Network calls for one picture"),
    ("time", "For one picture, on the machine named below"),
    ("multiply-adds", "For one picture"),
    ("weights trained", "Of all networks that take part, encoders and critics too"),
    ("trained in", "Time to train all of them"),
    ("training multiply-adds", "To train all of them"),
)


def table_html(found: SetBill, colors: Palette) -> str:
    """All rows as a table, real pictures first, the least distance and the least time in bold."""
    heads = "".join(f'<th scope="col" title="{title}">{word}</th>' for word, title in _HEADS)
    floor = found.floor
    cells = [f"{floor.frechet:.3g}", f"{floor.precision:.3f}", f"{floor.recall:.3f}"]
    real = "".join(f"<td>{cell}</td>" for cell in cells) + "<td></td>" * (len(_HEADS) - 4)
    best = min(row.frechet for row in found.rows)
    least = min(row.seconds_per_sample for row in found.rows)
    rows = "".join(_row_html(row, best, least, colors) for row in found.rows)
    inks = f"--muted: {colors.muted}; --grid: {colors.grid}; --data: {colors.ink(colors.data)}"
    return f"""<div class="dv-bill" style="{inks}" tabindex="0" role="region"
aria-label="What each generator costs">
<table><thead><tr>{heads}</tr></thead><tbody>
<tr class="dv-real"><th scope="row">┄ Real pictures</th>{real}</tr>{rows}</tbody></table></div>"""


def _row_html(row: Row, best: float, least: float, colors: Palette) -> str:
    level = "" if row.level is None else f", t = {row.level:.2g}"
    mark = f'<span style="color:{kind_colors(colors)[row.kind]}">{kind_mark(row)}</span>'
    distance, time = f"{row.frechet:.3g}", duration(row.seconds_per_sample)
    cells = (
        f"<b>{distance}</b>" if row.frechet == best else distance,
        f"{row.precision:.3f}",
        f"{row.recall:.3f}",
        "" if row.accuracy is None else f"{row.accuracy:.1%}",
        f"{row.nfe:,}",
        f"<b>{time}</b>" if row.seconds_per_sample == least else time,
        amount(row.macs_per_sample),
        amount(row.parameters),
        duration(row.train_seconds),
        amount(row.train_macs),
    )
    name = f'<th scope="row">{mark} {html.escape(row.title)}{level}</th>'
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def about_costs(found: SetBill) -> str:
    """Which row is best, which is cheapest, and what lies between them."""
    best = min(found.rows, key=lambda row: row.frechet)
    cheap = min(found.rows, key=lambda row: row.seconds_per_sample)
    words = (
        f"**{best.title} comes nearest to the data**: Fréchet distance {best.frechet:.3g}, where "
        f"as many real pictures measure {found.floor.frechet:.3g}. "
    )
    if best.key == cheap.key:
        return f"{words}It is the fastest, too: {duration(cheap.seconds_per_sample)} a picture."
    longer = best.seconds_per_sample / max(cheap.seconds_per_sample, 1e-12)
    nearer = cheap.frechet / max(best.frechet, 1e-12)
    words += (
        f"**{cheap.title} is the fastest**: {duration(cheap.seconds_per_sample)} a picture. The "
        f"best takes {_times(longer)} as long, for a distance that is {_times(nearer)} smaller."
    )
    kept = front(found.rows)
    if len(kept) > 2:
        names = "; ".join(row.title for row in kept)
        words += f" Nothing here is both faster and better than these: {names}."
    return words


def front(rows: Sequence[Row]) -> list[Row]:
    """The rows that no other beats in time and distance at once, the fastest first."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.seconds_per_sample, row.frechet)):
        if not kept or row.frechet < kept[-1].frechet:
            kept.append(row)
    return kept


def about_joined(found: SetBill) -> str:
    """What each joining of diffusion with another generator buys, and for what."""
    parts = []
    for key, base, words in _JOINED:
        joined, plain = found.row(key), found.row(base)
        if joined is None or plain is None:
            continue
        change = joined.frechet / max(plain.frechet, 1e-12)
        moved = f"from {plain.frechet:.3g} to {joined.frechet:.3g}"
        extra = duration(max(joined.seconds_per_sample - plain.seconds_per_sample, 0))
        if change < 1 - _SAME:
            parts.append(f"{words} pays: {moved} for {extra} more a picture")
        elif change > 1 + _SAME:
            parts.append(f"{words} does harm: {moved}, and {extra} more a picture")
        else:
            parts.append(f"{words} changes little: {moved} for {extra} more a picture")
    return f"**Joined with diffusion.** {'. '.join(parts)}." if parts else ""


def about_classes(found: SetBill, names: Sequence[str]) -> str:
    """Whether the GAN makes all classes, and what the VAE does, which cannot be asked."""
    gan, vae = found.row("gan"), found.row("vae")
    parts = []
    if gan is not None:
        rare, share = gan.rarest
        missing = [names[k] for k, part in enumerate(gan.histogram) if part < _RARE]
        all_of_them = (
            f"**The GAN covers all ten classes**: the rarest is {names[rare]} with {share:.1%}"
            if not missing
            else f"**The GAN hardly makes some classes** ({', '.join(missing)})"
        )
        parts.append(
            f"{all_of_them}, of 10% asked for; its recall is {gan.recall:.2f}, that of real "
            f"pictures {found.floor.recall:.2f}."
        )
    if vae is not None:
        rare, share = vae.rarest
        often = max(range(len(vae.histogram)), key=vae.histogram.__getitem__)
        parts.append(
            f"The VAE is not told a class: {names[often]} comes up in {vae.histogram[often]:.1%} "
            f"of its samples, {names[rare]} in {share:.1%}."
        )
    return " ".join(parts)


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 9.95 else f"{ratio:.1f} times"
