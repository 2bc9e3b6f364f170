"""One look for every page: concept colors, figure style, page header and the questions at its end.

A color stands for one concept wherever it appears: data, noise, exact, learned and path.  The pairs
for light and dark are safe for the common color deficiencies; a second cue (a shape, a dash or a
word) goes with every color that carries meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import plotly.graph_objects as go
import streamlit as st
from PIL import Image, ImageDraw
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException

from diffviz.ui.shell import links

Badge = Literal["exact", "learned", "data"]

_READABLE = 5.0  # contrast of words to the page; 4.5 is left on its tinted parts

FONT = '"Source Sans", "Source Sans Pro", system-ui, sans-serif'


@dataclass(frozen=True)
class Palette:
    """The colors of one theme, as CSS hex strings.

    Attributes:
        dark: whether this is the palette of the dark theme.
        data: data points and x_0.
        noise: eps, z and the N(0, 1) reference.
        exact: exact denoisers and true densities.
        learned: networks and what they predict.
        path: the followed point, its past and its future.
        text: text and the lines of axes.
        muted: secondary text.
        grid: grid lines.
        background: behind a picture that cannot be transparent.
        classes: the classes 0 to 9.
        sequential: name of the plotly scale for densities and fields.
        diverging: scale for signed errors, blue to orange, centred at zero.
    """

    dark: bool
    data: str
    noise: str
    exact: str
    learned: str
    path: str
    text: str
    muted: str
    grid: str
    background: str
    classes: tuple[str, ...]
    sequential: str
    diverging: tuple[str, ...]

    def ink(self, color: str) -> str:
        """Return a color's shade for words: mixed with the text's as little as can be read.

        Args:
            color: of a mark, as a CSS hex string.
        """
        behind = _luminance(_rgb(self.background))
        for k in range(20):
            mixed = [
                round(c + (t - c) * k / 20)
                for c, t in zip(_rgb(color), _rgb(self.text), strict=True)
            ]
            low, high = sorted((_luminance(mixed), behind))
            if (high + 0.05) / (low + 0.05) >= _READABLE:
                return "#" + "".join(f"{c:02X}" for c in mixed)
        return self.text


def _rgb(color: str) -> list[int]:
    return [int(color[k : k + 2], 16) for k in (1, 3, 5)]


def _luminance(rgb: Sequence[int]) -> float:
    """Relative luminance (WCAG 2.2) of a color, 0 to 255 each."""
    linear = [
        s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in (c / 255 for c in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


LIGHT = Palette(
    dark=False,
    data="#0072B2",
    noise="#7F7F7F",
    exact="#009E73",
    learned="#D55E00",
    path="#AA4499",
    text="#1C2530",
    muted="#545B64",
    grid="#E3E7EC",
    background="#FDFDFC",
    classes=(
        "#0072B2",
        "#E08A00",
        "#009E73",
        "#C8401A",
        "#4BA3DB",
        "#C2588F",
        "#A08A00",
        "#5B4A9E",
        "#8C5A3C",
        "#1F6B3A",
    ),
    sequential="Cividis",
    diverging=("#0F4C81", "#6DA6D1", "#F4F5F6", "#E69A5B", "#9C4500"),
)

DARK = Palette(
    dark=True,
    data="#56B4E9",
    noise="#A6A6A6",
    exact="#2BC79A",
    learned="#F58A42",
    path="#D98CC5",
    text="#E7EBF0",
    muted="#B7BEC7",
    grid="#2A3440",
    background="#12171E",
    classes=(
        "#4FA8E0",
        "#F0AE3D",
        "#2BC79A",
        "#F2784F",
        "#8CCBF2",
        "#E58ABB",
        "#D9C53A",
        "#A091E0",
        "#C79A7B",
        "#6FBF83",
    ),
    sequential="Cividis",
    diverging=("#8ACBF2", "#3A7DAA", "#1C242E", "#B0652A", "#FBAF7C"),
)

_BADGES: dict[Badge, tuple[str, str, str]] = {
    "exact": ("green", "check_circle", "exact"),
    "learned": ("orange", "model_training", "learned"),
    "data": ("blue", "scatter_plot", "data"),
}

_HELP: dict[Badge, str] = {
    "exact": "What acts here is computed in closed form, not learned: no network is involved.",
    "learned": "What acts here is a trained network: its answers are estimates.",
    "data": "What is shown here is data, untouched by any model.",
}

# Places in the stylesheet: a page, what only groups a part of it and so is folded away, and its
# wrapper.  A :has() stands last in its selector: where something below depends on it, the browser
# works out the page's style anew at each of the many changes that a chart makes to itself.
_PAGE = '[data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"]'
_BLOCK = '[data-testid="stVerticalBlock"]:not([class*="st-key-"])'
_FOLD = f'{_PAGE} > [data-testid="stLayoutWrapper"] > {_BLOCK}'
_WRAPPER = f'{_PAGE} > [data-testid="stLayoutWrapper"]:has(> {_BLOCK})'
_STYLE = (
    (Path(__file__).parent / "style.css")
    .read_text(encoding="utf-8")
    .replace(".st-page", f":is({_PAGE}, {_FOLD})")
    .replace(".st-fold-wrapper", _WRAPPER)
    .replace(".st-fold", _FOLD)
)

# What the reader has not touched makes no entry of its own in the browser's history: the address
# that a page completes by itself takes the place of the one it was opened by.  And what the server
# has coloured follows the theme.
_SCRIPTS = "\n".join(
    (Path(__file__).parent / name).read_text("utf-8") for name in ("history.js", "scheme.js")
)

# A cloud of dots that gathers into a line, and the name beside it.
_DOTS = (
    *((4, 9, 1.6), (7, 23, 1.5), (10, 15, 1.9), (13, 5, 1.5), (15, 26, 1.7), (18, 12, 2.0)),
    *((21, 20, 2.1), (25, 15, 2.3), (31, 16, 2.5), (37.5, 16, 2.7), (44.5, 16, 2.9)),
)


def brand() -> None:
    """Draw the app's name above the navigation."""
    colors = palette()
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="{r}" fill="{colors.data}" opacity="{0.35 + x / 70:.2f}"/>'
        for x, y, r in _DOTS
    )
    name = (
        f'<text x="55" y="23" font-family="system-ui, sans-serif" font-size="21" '
        f'font-weight="600" fill="{colors.text}">diffviz</text>'
    )
    st.logo(_svg(dots + name, 130), size="large", icon_image=_svg(dots, 50))


@cache
def icon() -> Image.Image:
    """The picture in the browser's tab: the end of the name's cloud of dots, 64 x 64 pixels."""
    side, scale = 64, 4
    picture = Image.new("RGBA", (side * scale, side * scale))
    draw = ImageDraw.Draw(picture)
    for x, y, r in _DOTS[:9]:
        shade = (51, 145, 204, round(255 * (0.45 + x / 60)))
        place = [2 * scale * (x - 2), 2 * scale * y]
        draw.circle((place[0], place[1]), 2.2 * scale * r, fill=shade)
    return picture.resize((side, side), Image.Resampling.BOX)


def _svg(content: str, width: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 32" width="{width}" '
        f'height="32" role="img" aria-label="diffviz">{content}</svg>'
    )


def palette() -> Palette:
    """The palette of the theme the reader has on; light when that is not known."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def badge(kind: Badge) -> str:
    """Markdown of the badge that says what acts: ``exact``, ``learned`` or ``data``."""
    color, icon, word = _BADGES[kind]
    return f":{color}-badge[:material/{icon}: {word}]"


def header(title: str, sentence: str, kind: Badge | None = None) -> DeltaGenerator:
    """Draw the top of a page; call it first.

    Args:
        title: the page's name.
        sentence: one sentence that says what to look at.
        kind: the badge at the right, if a denoiser acts or data are shown.

    Returns:
        The badge's slot, for ``mark``: for pages that know only later what acts.
    """
    links.begin()
    st.html(f"<style>{_STYLE}</style>")
    st.html(f"<script>{_SCRIPTS}</script>", unsafe_allow_javascript=True)
    with st.container(
        key="page_header", horizontal=True, vertical_alignment="center", gap="medium"
    ):
        st.title(title, anchor=False, width="content")
        st.markdown(sentence, width="stretch")
        slot = st.empty()
        if kind is not None:
            mark(slot, kind)
    links.complaints(links.UNUSED)
    return slot


def picture() -> DeltaGenerator:
    """Return the place of the page's picture, which comes first where everything is one column."""
    return st.container(key="page_picture")


def mark(slot: DeltaGenerator, kind: Badge) -> None:
    """Put a badge into the slot that ``header`` left for it."""
    slot.markdown(badge(kind), width="content", help=_HELP[kind])


def questions(items: Sequence[tuple[str, str, Mapping[str, object]]]) -> None:
    """Draw the end of a page: questions worth trying, each a link that sets a page up.

    Args:
        items: (question, page, parameters): the page by its url path ("forward", "reverse", ...),
            the parameters as in the address; those left out take their defaults.
    """
    with st.container(key="page_questions", gap="xsmall"):
        st.markdown("**Worth trying**")
        for text, page, parameters in items:
            link(text, page, parameters)
    links.sync()


def link(text: str, page: str, parameters: Mapping[str, object]) -> None:
    """Draw a link that sets a page up.

    Args:
        text: what it says.
        page: by its url path.
        parameters: as in the address; those left out take their defaults.
    """
    query = {name: links.spell(value) for name, value in parameters.items()}
    try:
        st.page_link(
            f"pages/{page}.py",
            label=text,
            icon=":material/arrow_forward:",
            query_params={**query, links.FOLLOWED: "1"},
        )
    except StreamlitAPIException:  # the page runs by itself, outside the app's navigation
        st.markdown(f"[{text}]({page}?{urlencode(query)})")


def style(
    figure: go.Figure, colors: Palette | None = None, *, height: int | None = 260
) -> go.Figure:
    """Give a figure the look of the app, in place: light grid, clear axes, words to be read.

    Args:
        figure: the figure; the titles of its axes are kept.
        colors: the palette; that of the reader's theme when left out.
        height: in CSS pixels; None leaves it to what holds the figure.

    Returns:
        The same figure.
    """
    colors = colors or palette()
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 8, "t": 28 if figure.layout.title.text else 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 15, "color": colors.text},
        title={"font": {"size": 16}, "x": 0, "xanchor": "left", "y": 0.99, "yanchor": "top"},
        colorway=colors.classes,
        hoverlabel={
            "font": {"family": FONT, "size": 15, "color": colors.text},
            "bgcolor": colors.background,
            "bordercolor": colors.grid,
        },
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.0,
            "xanchor": "left",
            "x": 0,
            "font": {"size": 15},
            "bgcolor": "rgba(0,0,0,0)",
        },
    )
    axis = {
        "gridcolor": colors.grid,
        "linecolor": colors.muted,
        "tickcolor": colors.muted,
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
        "automargin": True,
        "title": {"standoff": 6, "font": {"size": 15}},
        "tickfont": {"size": 14, "color": colors.muted},
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    for words in figure.layout.annotations:
        if words.font.color and not words.bgcolor:
            words.font.color = colors.ink(words.font.color)
    return figure


def chart(figure: go.Figure, *, key: str, alt: str, height: int | None = 260) -> None:
    """Draw a styled figure.

    Args:
        figure: a figure whose axes have titles.
        key: a name that is unique on the page.
        alt: what the figure shows, in words, for those who cannot see it.
        height: in CSS pixels; None for the page's picture, which has the size of the screen.
    """
    with st.container(key=f"tall_{key}") if height is None else nullcontext():
        st.plotly_chart(
            style(figure, height=height),
            theme=None,
            key=key,
            alt=alt,
            height="stretch" if height is None else "content",
            config={"displayModeBar": False, "responsive": True},
        )
