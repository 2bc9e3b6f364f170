"""The gauge "is x_T really Gaussian?": a verdict in words, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from diffviz.measures.terminal import Terminal
from diffviz.ui.shell.theme import Palette

_FLOORS = 6.0  # at the right end of the bar of distances
_FAR, _LITTLE = 1.3, 0.03  # floors of distance and share of signal that go unnoticed

_ANSWERS = {"yes": "Yes", "nearly": "Nearly", "no": "No"}


@dataclass(frozen=True)
class _Row:
    name: str
    value: str
    fill: float | None = None
    mark: float | None = None
    hint: str = ""


def verdict(end: Terminal, T: int | None) -> tuple[str, str]:
    """The answer in words: one word, and what it rests on.

    Args:
        end: what was measured.
        T: the number of noisings, None on a continuous path.
    """
    left = f"{_percent(end.signal)} of the signal"
    why = f"{left} is left at the end"
    if end.verdict == "yes":
        why = "as close as two Gaussian samples are"
    elif end.ratio > _FAR and end.signal <= _LITTLE:
        why = f"{end.ratio:.1f} times as far as Gaussian samples are"
    elif T is not None:
        why = f"T = {T:,} noisings leave {left}"
    return _ANSWERS[end.verdict], why


def ending_html(end: Terminal, T: int | None, colors: Palette) -> str:
    """The gauge as HTML.

    Args:
        end: what was measured.
        T: the number of noisings, None on a continuous path.
        colors: the palette of the theme.
    """
    tone = {"yes": colors.exact, "nearly": colors.noise, "no": colors.learned}[end.verdict]
    variables = {
        "tone": tone,
        "text": colors.text,
        "muted": colors.muted,
        "grid": colors.grid,
    }
    style = "; ".join(f"--gauge-{name}: {value}" for name, value in variables.items())
    rows = (
        _Row(
            "Distance to N(0, I)",
            f"{end.distance:.3f}",
            end.ratio / _FLOORS,
            1 / _FLOORS,
            f"sliced Wasserstein; two Gaussian samples: {end.floor:.3f} (the mark)",
        ),
        _Row(
            "Signal left, &alpha;<sub>T</sub>" + (" / std" if abs(end.std - 1) > 0.01 else ""),
            _percent(end.signal),
            end.signal,
            None,
            "correlation of x_T with the data",
        ),
        _Row(
            "KL per dimension",
            f"{scientific(end.bits)} bits",
            hint="mean KL(q(x_T | x_0) || N(0, std^2)), what x_T tells about the data",
        ),
    )
    body = "".join(_row_html(row) for row in rows)
    answer, why = verdict(end, T)
    return (
        f'<section class="gauge" style="{style}" data-verdict="{end.verdict}" '
        f'aria-label="Is x_T really Gaussian?"><header><h2><span>Is x<sub>T</sub> really Gaussian?'
        f'</span><span class="answer {end.verdict}">{answer}</span></h2><p>{why}</p></header>'
        f"<dl>{body}</dl></section>"
    )


def _row_html(row: _Row) -> str:
    if row.fill is None:
        return f'<dt title="{row.hint}">{row.name}</dt><dd class="wide">{row.value}</dd>'
    mark = "" if row.mark is None else f'<b style="left: {100 * row.mark:.1f}%"></b>'
    fill = f'<i style="width: {100 * min(row.fill, 1):.1f}%"></i>'
    bar = f'<dd class="bar" aria-hidden="true">{fill}{mark}</dd>'
    return f'<dt title="{row.hint}">{row.name}</dt>{bar}<dd>{row.value}</dd>'


def _percent(share: float) -> str:
    amount = 100 * share
    return f"{amount:.0f} %" if amount >= 10 else f"{amount:.1f} %" if amount >= 0.05 else "0 %"


def scientific(value: float) -> str:
    """A number for reading: 0.12, or 2.9 · 10⁻⁵ where it is small."""
    if value == 0 or abs(value) >= 0.01:
        return f"{value:.2f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} · 10{power}"
