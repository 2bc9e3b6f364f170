r"""Named point sets in one and two dimensions.

Every set is a distribution that can be drawn from again and again, not a fixed table: for n points
and a seed it answers an independent sample. All sets are brought to one size, so that one noise
schedule suits them all: the distribution (not the single sample) is shifted to mean 0 and divided
by one number, the same for both axes, after which the mean variance of its coordinates is 1,

    x <- (x - E[x]) / s,    s^2 = E|x - E[x]|^2 / D.

For Gaussian mixtures the two moments are in closed form, so ``MIXTURES`` gives the exact density of
what ``DATASETS`` samples; for what is sampled from ink (text, images, drawings) they follow from
the ink; for the other sets they are measured once on a large fixed sample.

Sources: moons, circles and the Swiss roll are scikit-learn's; the pinwheel follows Johnson et al.
2016, "Composing graphical models with neural networks" (section 5); the butterfly is the curve of
Fay 1989, "The butterfly curve" (American Mathematical Monthly 96).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

__all__ = [
    "DATASETS",
    "DEFAULT_TEXT",
    "INFO",
    "MAX_TEXT",
    "MIXTURES",
    "MIXTURE_LABELS",
    "DatasetInfo",
    "from_drawing",
    "from_image",
    "from_text",
    "labelled",
]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Draw = Callable[[int, np.random.Generator], tuple[Floats, Labels]]

MAX_TEXT = 12
"""The most characters ``from_text`` draws."""

DEFAULT_TEXT = "data"
"""The word behind ``DATASETS["text"]``."""

FONT = Path(__file__).with_name("assets") / "DejaVuSans-Bold-subset.ttf"
_FONT_SIZE = 160
_MAX_SIDE = 512
_JITTER = (0.015, 0.03)  # least and most of a drawn point; the canvas spans [-1, 1]
_REFERENCE = 200_000  # points on which the moments of a set without closed form are measured


@dataclass(frozen=True)
class DatasetInfo:
    """What a page says about a set.

    Attributes:
        name: key in ``DATASETS``, and the word in URLs.
        title: short title.
        dim: 1 or 2.
        sentence: one plain sentence.
        classes: number of classes that ``labelled`` tells apart; 1 where there are none.
    """

    name: str
    title: str
    dim: int
    sentence: str
    classes: int = 1


@dataclass(frozen=True)
class _Mixture:
    """A Gaussian mixture with its weights (K,), means (K, D) and stds (K,), not standardised."""

    weights: Floats
    means: Floats
    stds: Floats
    labels: Labels

    def moments(self) -> tuple[Floats, float]:
        """Mean (D,) and the one scale, in closed form."""
        centre = self.weights @ self.means
        variance = ((self.means - centre) ** 2).mean(axis=1) + self.stds**2
        return centre, math.sqrt(self.weights @ variance)

    def parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (K,), means (K, D) and stds (K,) of the standardised mixture, float64."""
        centre, scale = self.moments()
        return (
            torch.from_numpy(self.weights.copy()),
            torch.from_numpy((self.means - centre) / scale),
            torch.from_numpy(self.stds / scale),
        )

    def __call__(self, n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
        component = rng.choice(len(self.weights), size=n, p=self.weights)
        noise = rng.standard_normal((n, self.means.shape[1]))
        points = self.means[component] + self.stds[component, None] * noise
        return points, self.labels[component]


@dataclass(frozen=True)
class _Ink:
    """Sites (K, 2) with weights (K,), each smeared by a jitter of the given std per axis."""

    sites: Floats
    weights: Floats
    jitter: Callable[[int, np.random.Generator], Floats]
    jitter_variance: float

    def sample(self, n: int, seed: int) -> Tensor:
        """Standardised points (n, 2)."""
        _check(n, seed)
        rng = np.random.default_rng(seed)
        centre = self.weights @ self.sites
        spread = ((self.sites - centre) ** 2).mean(axis=1)
        scale = math.sqrt(self.weights @ spread + self.jitter_variance)
        chosen = rng.choice(len(self.weights), size=n, p=self.weights)
        points = self.sites[chosen] + self.jitter(n, rng)
        return torch.from_numpy(((points - centre) / scale).astype(np.float32))


# One-dimensional sets ---------------------------------------------------------------------------


def _mixture(
    means: ArrayLike,
    stds: float | Sequence[float],
    weights: Sequence[float] | None = None,
    labels: ArrayLike | None = None,
) -> _Mixture:
    centres = np.atleast_2d(np.asarray(means, dtype=np.float64))
    k = len(centres)
    shares = np.full(k, 1 / k) if weights is None else np.asarray(weights, dtype=np.float64)
    classes = np.arange(k) if labels is None else np.asarray(labels)
    widths = np.broadcast_to(np.asarray(stds, dtype=np.float64), (k,)).copy()
    return _Mixture(shares, centres, widths, classes.astype(np.int64))


def _dirac_pair(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    side = rng.integers(2, size=n)
    return np.where(side == 0, -1.0, 1.0)[:, None], side


def _uniform(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    return rng.uniform(-1, 1, (n, 1)), _no_labels(n)


def _sawtooth(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    tooth = rng.integers(3, size=n)
    ramp = np.sqrt(rng.random(n))  # density 2 r on [0, 1]
    return np.add(tooth, ramp, dtype=np.float64)[:, None], tooth


def _skewed(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    return rng.beta(1.5, 6.0, (n, 1)), _no_labels(n)


# Two-dimensional sets ---------------------------------------------------------------------------


def _moons(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    upper, lower = (_on_circle(np.linspace(0, np.pi, m)) for m in _halves(n))
    return _mingled(n, [upper, 1 - lower - [0, 0.5]], 0.06, rng)


def _circles(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    outer, inner = (_on_circle(np.linspace(0, 2 * np.pi, m, endpoint=False)) for m in _halves(n))
    return _mingled(n, [outer, 0.45 * inner], 0.04, rng)


def _halves(n: int) -> tuple[int, int]:
    # the split is fixed; an extra point keeps both halves drawable at n = 1
    return (n + 1) // 2, n + 1 - (n + 1) // 2


def _mingled(
    n: int, curves: list[Floats], noise: float, rng: np.random.Generator
) -> tuple[Floats, Labels]:
    """The first n of the curves' points in random order, with noise, as scikit-learn draws them."""
    chance, points = _legacy(rng), np.concatenate(curves)
    order = np.arange(len(points))
    chance.shuffle(order)
    labels = np.repeat(np.arange(len(curves)), [len(curve) for curve in curves])[order]
    return (points[order] + chance.normal(scale=noise, size=points.shape))[:n], labels[:n]


def _swiss_roll(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    chance = _legacy(rng)
    angle = 1.5 * np.pi * (1 + 2 * chance.uniform(size=n))
    chance.uniform(size=n)  # the width of scikit-learn's roll, which is not seen from its side
    roll = angle[:, None] * _on_circle(angle)
    return roll + 0.35 * chance.standard_normal((3, n))[[0, 2]].T, _no_labels(n)


def _spiral(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    arm = rng.integers(2, size=n)
    angle = 0.5 + 3 * np.pi * np.sqrt(rng.random(n))
    points = angle[:, None] * _on_circle(angle + np.pi * arm)
    return points + 0.25 * rng.standard_normal((n, 2)), arm


def _pinwheel(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    blade = rng.integers(5, size=n)
    along = 1 + 0.25 * rng.standard_normal(n)
    across = 0.07 * rng.standard_normal(n)
    turn = 2 * np.pi * blade / 5 + 0.25 * np.exp(along)
    forward, sideways = _on_circle(turn), _on_circle(turn + np.pi / 2)
    return along[:, None] * forward + across[:, None] * sideways, blade


def _checkerboard(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    square = rng.integers(8, size=n)
    row, pair = square // 2, square % 2
    corner = np.stack([2.0 * pair + row % 2, row], axis=1)
    return np.asarray(corner + rng.random((n, 2))), square


def _smiley(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    """A face: its outline (class 0), two eyes (1) and a smile (2)."""
    part = rng.choice(3, size=n, p=[0.56, 0.16, 0.28])
    outline = _on_circle(rng.uniform(0, 2 * np.pi, n))
    outline *= (1 + 0.018 * rng.standard_normal(n))[:, None]
    side = 2.0 * rng.integers(2, size=n) - 1
    eyes = np.sqrt(rng.random(n))[:, None] * _on_circle(rng.uniform(0, 2 * np.pi, n))
    eyes = eyes * [0.085, 0.15] + np.stack([0.34 * side, np.full(n, 0.3)], axis=1)
    along = rng.uniform(-1, 1, n)
    smile = 0.6 * _on_circle(1.5 * np.pi + 1.08 * along)
    smile *= (1 + 0.17 * (1 - along**2) * rng.uniform(-0.6, 0.4, n))[:, None]
    smile += 0.008 * rng.standard_normal((n, 2))
    return np.choose(part[:, None], [outline, eyes, smile]), part


def _heart(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    """Uniform inside (x^2 + y^2 - 1)^3 = x^2 y^3."""

    def inside(p: Floats) -> NDArray[np.bool_]:
        square = (p**2).sum(axis=1) - 1
        return np.asarray(square**3 <= p[:, 0] ** 2 * p[:, 1] ** 3)

    return _reject(n, rng, inside, 1.25), _no_labels(n)


def _star(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    """Uniform inside a five-pointed star; the class is the point of the star."""
    tip = rng.integers(5, size=n)
    side = 2.0 * rng.integers(2, size=n) - 1
    centre_line = np.pi / 2 + 2 * np.pi * tip / 5
    a, b = np.sort(rng.random((2, n)), axis=0)  # uniform in the triangle (0, outer, inner)
    inner = 0.382 * _on_circle(centre_line + side * np.pi / 5)
    points = a[:, None] * _on_circle(centre_line) + (b - a)[:, None] * inner
    return points + 0.008 * rng.standard_normal((n, 2)), tip


def _rose(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    """The rose r = cos(5 angle); the class is the petal."""
    petal = rng.integers(5, size=n)
    offset = _by_length(lambda a: np.cos(5 * a)[:, None] * _on_circle(a), -0.1, 0.1, n, rng)
    angle = np.pi / 2 + 2 * np.pi * petal / 5 + offset
    points = np.cos(5 * offset)[:, None] * _on_circle(angle)
    return points + 0.012 * rng.standard_normal((n, 2)), petal


def _butterfly(n: int, rng: np.random.Generator) -> tuple[Floats, Labels]:
    """Fay's curve r = exp(sin a) - 2 cos 4a + sin^5((2a - pi) / 24), one turn of it."""

    def curve(a: Floats) -> Floats:
        r = np.exp(np.sin(a)) - 2 * np.cos(4 * a) + np.sin((2 * a - np.pi) / 24) ** 5
        return np.asarray(r[:, None] * _on_circle(a))

    points = curve(_by_length(curve, 0, 2, n, rng))
    return points + 0.03 * rng.standard_normal((n, 2)), _no_labels(n)


# Helpers of the generators ----------------------------------------------------------------------


def _no_labels(n: int) -> Labels:
    return np.zeros(n, dtype=np.int64)


def _on_circle(angle: Floats) -> Floats:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _legacy(rng: np.random.Generator) -> np.random.RandomState:
    """The generator that scikit-learn draws from: the sets that are called as its own are its own.

    They are drawn here since importing it takes longer than all the rest of the library.
    """
    return np.random.RandomState(int(rng.integers(2**32 - 1)))


def _reject(
    n: int, rng: np.random.Generator, inside: Callable[[Floats], NDArray[np.bool_]], side: float
) -> Floats:
    """Uniform points (n, 2) of the square [-side, side]^2 that are inside."""
    kept = np.empty((0, 2))
    while len(kept) < n:
        tried = rng.uniform(-side, side, (2 * n + 16, 2))
        kept = np.concatenate([kept, tried[inside(tried)]])
    return kept[:n]


def _by_length(
    curve: Callable[[Floats], Floats], start: float, end: float, n: int, rng: np.random.Generator
) -> Floats:
    """Angles (n,) that are uniform in arc length on a curve from start * pi to end * pi."""
    angle = np.linspace(start * np.pi, end * np.pi, 4001)
    step = np.linalg.norm(np.diff(curve(angle), axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(step)])
    return np.asarray(np.interp(rng.random(n) * length[-1], length, angle))


# Sets made from what a user gives ---------------------------------------------------------------


def from_text(text: str, n: int, seed: int) -> Tensor:
    """Points sampled uniformly from the ink of a letter or a short text.

    Words go on lines of their own where that fills the square better.

    Args:
        text: 1 to ``MAX_TEXT`` characters.
        n: number of points.
        seed: of the sample.

    Returns:
        Points (n, 2), float32, standardised.

    Raises:
        ValueError: the text draws nothing, is too long, or has a sign that the font lacks.
    """
    _check(n, seed)
    return _text_ink(text).sample(n, seed)


def from_image(image: ArrayLike, n: int, seed: int, *, invert: bool = False) -> Tensor:
    """Points sampled from the darkness of an image, after stretching its contrast.

    A pixel is chosen with probability proportional to the square of its darkness, then the point
    is placed uniformly inside the pixel.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), uint8, or floats in [0, 1].
        n: number of points.
        seed: of the sample.
        invert: sample from the lightness instead, for light drawings on dark ground.

    Returns:
        Points (n, 2), float32, standardised, y pointing up.

    Raises:
        ValueError: not an image, or an image of one flat tone, which has no dark parts.
    """
    _check(n, seed)
    grey = _grey(np.asarray(image))
    dark = grey if invert else 1 - grey
    low, high = np.quantile(dark, [0.02, 0.98])
    if high - low < 0.02:  # thin lines on a plain ground fill less than 2 % of the image
        low, high = dark.min(), dark.max()
    if high - low < 0.02:
        raise ValueError(
            "This image is one flat tone, so it has no dark parts to put points on: "
            "choose an image with dark shapes on light ground."
        )
    return _pixels(np.clip((dark - low) / (high - low), 0, 1) ** 2).sample(n, seed)


def from_drawing(points: ArrayLike, n: int, seed: int) -> Tensor:
    """Points sampled around drawn points, which sit evenly along the strokes.

    Each point is a drawn one plus Gaussian noise of half the usual distance between neighbours, so
    that the beads of a stroke become one line.

    Args:
        points: (K, 2), in [-1, 1], y pointing up.
        n: number of points.
        seed: of the sample.

    Returns:
        Points (n, 2), float32, standardised.

    Raises:
        ValueError: no points, or points that are not finite pairs within [-1, 1].
    """
    _check(n, seed)
    sites = np.asarray(points, dtype=np.float64)
    if sites.size == 0:
        raise ValueError("The drawing has no points: draw at least one dot or line.")
    if sites.ndim != 2 or sites.shape[1] != 2:
        raise ValueError(f"A drawing is a list of (x, y) pairs, not an array of {sites.shape}.")
    if not np.isfinite(sites).all() or np.abs(sites).max() > 1:
        raise ValueError("The points of a drawing must lie between -1 and 1 on both axes.")

    std = float(np.clip(_pitch(sites) / 2, *_JITTER))

    def jitter(n: int, rng: np.random.Generator) -> Floats:
        return std * rng.standard_normal((n, 2))

    weights = np.full(len(sites), 1 / len(sites))
    return _Ink(sites, weights, jitter, std**2).sample(n, seed)


def _pitch(sites: Floats) -> float:
    """Median distance of a site (K, 2) to its nearest neighbour; 0 for a single site."""
    from scipy.spatial import KDTree  # slow to import, seldom needed

    if len(sites) < 2:
        return 0.0
    distance, _ = KDTree(sites).query(sites, k=2)
    return float(np.median(distance[:, 1]))


def _pixels(weight: Floats) -> _Ink:
    """Ink from non-negative pixel weights (H, W); each pixel is a square of side 1."""
    row, column = np.nonzero(weight)
    sites = np.stack([column, -row], axis=1).astype(np.float64)
    chosen = weight[row, column]

    def jitter(n: int, rng: np.random.Generator) -> Floats:
        return rng.uniform(-0.5, 0.5, (n, 2))

    return _Ink(sites, chosen / chosen.sum(), jitter, 1 / 12)


def _grey(image: NDArray[np.generic]) -> Floats:
    """Lightness (H, W) in [0, 1], no side longer than 512 pixels."""
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)):
        raise ValueError(f"An image has shape (H, W), (H, W, 1) or (H, W, 3), not {image.shape}.")
    if image.size == 0:
        raise ValueError("The image has no pixels: choose another one.")
    value = image.astype(np.float64) / (255 if image.dtype == np.uint8 else 1)
    if not np.isfinite(value).all() or value.min() < 0 or value.max() > 1:
        raise ValueError("An image that is not uint8 must hold numbers between 0 and 1.")
    if value.ndim == 3:  # luma of ITU-R BT.601
        value = value[..., 0] if value.shape[2] == 1 else value @ [0.299, 0.587, 0.114]
    longest = max(value.shape)
    if longest <= _MAX_SIDE:
        return value
    height, width = (max(1, round(side * _MAX_SIDE / longest)) for side in value.shape)
    small = Image.fromarray(value.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    return np.clip(np.asarray(small, dtype=np.float64), 0, 1)


@lru_cache(maxsize=8)
def _text_ink(text: str) -> _Ink:
    clean = " ".join(unicodedata.normalize("NFC", text).split())
    drawable = [sign for sign in clean if _drawable(sign)]
    if not drawable:
        raise ValueError(f"{text!r} draws no ink: type at least one letter, digit or sign.")
    if len(clean) > MAX_TEXT:
        raise ValueError(
            f"{clean[:MAX_TEXT]!r}... has {len(clean)} characters and at most {MAX_TEXT} fit: "
            "type a shorter text."
        )
    font = _font()
    missing = [sign for sign in drawable if _mask(font, sign) == _mask(font, "\uffff")]
    if missing:
        raise ValueError(
            f"The font here has no shape for {missing[0]!r}: use Latin, Greek or Cyrillic "
            "letters, digits or common signs."
        )
    words = "".join(sign for sign in clean if sign == " " or sign in drawable).split()
    pictures = (
        _render(font, "".join(a + b for a, b in zip(words, (*breaks, ""), strict=True)))
        for breaks in product(" \n", repeat=len(words) - 1)
    )
    picture = min(pictures, key=lambda p: max(p.shape))
    if not picture.any():
        raise ValueError(f"{text!r} draws no ink: type at least one letter, digit or sign.")
    return _pixels(picture)


def _drawable(sign: str) -> bool:
    """Whether a sign should leave ink: no space, no control sign, no variation selector."""
    return unicodedata.category(sign)[0] not in "CZ" and not "\ufe00" <= sign <= "\ufe0f"


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)


def _mask(font: ImageFont.FreeTypeFont, sign: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(sign)
    return mask.size, bytes(mask)


def _render(font: ImageFont.FreeTypeFont, text: str) -> Floats:
    """Ink (H, W) in [0, 1] of text, cut to what is drawn."""
    scratch = ImageDraw.Draw(Image.new("L", (1, 1)))
    box = scratch.multiline_textbbox((0, 0), text, font=font, align="center", spacing=24)
    size = (math.ceil(box[2] - box[0]) + 8, math.ceil(box[3] - box[1]) + 8)
    image = Image.new("L", size)
    ImageDraw.Draw(image).multiline_text(
        (4 - box[0], 4 - box[1]), text, fill=255, font=font, align="center", spacing=24
    )
    cut = image.getbbox()
    return np.asarray(image.crop(cut) if cut else image, dtype=np.float64) / 255


# The registry -----------------------------------------------------------------------------------

_EIGHT = 2 * np.pi * np.arange(8) / 8
_SIDE = np.arange(-2, 3)

_SETS: tuple[tuple[DatasetInfo, Draw], ...] = (
    (
        DatasetInfo("two_gaussians", "Two Gaussians", 1, "Two equal, well separated bells.", 2),
        _mixture([[-1], [1]], 0.25),
    ),
    (
        DatasetInfo(
            "three_gaussians",
            "Three Gaussians",
            1,
            "Three bells of different weight and width; does the run keep the shares?",
            3,
        ),
        _mixture([[-1.2], [0.2], [1.5]], (0.3, 0.12, 0.2), (0.5, 0.15, 0.35)),
    ),
    (
        DatasetInfo("uniform", "Uniform", 1, "Flat between two sharp edges, zero outside."),
        _uniform,
    ),
    (
        DatasetInfo("sawtooth", "Sawtooth", 1, "Three ramps, each ending in a cliff.", 3),
        _sawtooth,
    ),
    (
        DatasetInfo(
            "skewed", "Skewed", 1, "A beta distribution: steep on the left, long on the right."
        ),
        _skewed,
    ),
    (
        DatasetInfo("dirac_pair", "Two points", 1, "Only two values ever occur, equally often.", 2),
        _dirac_pair,
    ),
    (
        DatasetInfo("moons", "Two moons", 2, "Two half circles that reach into each other.", 2),
        _moons,
    ),
    (
        DatasetInfo("circles", "Two circles", 2, "A ring within a ring.", 2),
        _circles,
    ),
    (
        DatasetInfo("spiral", "Spiral", 2, "Two arms wound around each other.", 2),
        _spiral,
    ),
    (
        DatasetInfo("swiss_roll", "Swiss roll", 2, "One sheet, rolled up and seen from its end."),
        _swiss_roll,
    ),
    (
        DatasetInfo("pinwheel", "Pinwheel", 2, "Five bent blades around an empty middle.", 5),
        _pinwheel,
    ),
    (
        DatasetInfo("checkerboard", "Checkerboard", 2, "Eight filled squares with hard edges.", 8),
        _checkerboard,
    ),
    (
        DatasetInfo("eight_gaussians", "Eight Gaussians", 2, "Eight round clusters on a ring.", 8),
        _mixture(_on_circle(_EIGHT), 0.09),
    ),
    (
        DatasetInfo("grid25", "25 Gaussians", 2, "Tight clusters on a grid of five by five.", 5),
        _mixture([(x, y) for x in _SIDE for y in _SIDE], 0.08, labels=np.repeat(np.arange(5), 5)),
    ),
    (
        DatasetInfo("smiley", "Smiley", 2, "A face: an outline, two eyes and a smile.", 3),
        _smiley,
    ),
    (
        DatasetInfo("heart", "Heart", 2, "A filled heart with one sharp tip and one sharp notch."),
        _heart,
    ),
    (
        DatasetInfo("star", "Star", 2, "A filled star; its five tips are the hard part.", 5),
        _star,
    ),
    (
        DatasetInfo("rose", "Rose", 2, "Five petals drawn with one thin line.", 5),
        _rose,
    ),
    (
        DatasetInfo("butterfly", "Butterfly", 2, "One closed curve that crosses itself."),
        _butterfly,
    ),
)

_DRAWS: dict[str, Draw] = {info.name: draw for info, draw in _SETS}


def labelled(name: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """A sample of a named set, with the class of each point.

    Args:
        name: a key of ``DATASETS``.
        n: number of points, at least 1.
        seed: of the sample, at least 0.

    Returns:
        Points (n, D), float32, standardised, and labels (n,), int64, from 0 to
        ``INFO[name].classes - 1``.

    Raises:
        ValueError: unknown name, or n or seed out of range.
    """
    if name == "text":
        return from_text(DEFAULT_TEXT, n, seed), torch.zeros(n, dtype=torch.int64)
    if name not in _DRAWS:
        raise ValueError(f"There is no data set {name!r}: choose one of {', '.join(DATASETS)}.")
    _check(n, seed)
    points, labels = _DRAWS[name](n, np.random.default_rng(seed))
    centre, scale = _moments(name)
    standard = ((points - centre) / scale).astype(np.float32, order="C")
    return torch.from_numpy(standard), torch.from_numpy(labels.astype(np.int64))


@cache
def _moments(name: str) -> tuple[Floats, float]:
    """Mean (D,) of a set and the one scale for its axes."""
    draw = _DRAWS[name]
    if isinstance(draw, _Mixture):
        return draw.moments()
    points, _ = draw(_REFERENCE, np.random.default_rng(0))
    centre = points.mean(axis=0)
    return centre, math.sqrt(((points - centre) ** 2).mean())


def _check(n: int, seed: int) -> None:
    if n < 1:
        raise ValueError(f"A sample has at least 1 point, not {n}.")
    if seed < 0:
        raise ValueError(f"A seed is a whole number from 0 up, not {seed}.")


def _points(name: str, n: int, seed: int) -> Tensor:
    return labelled(name, n, seed)[0]


INFO: dict[str, DatasetInfo] = {
    **{info.name: info for info, _ in _SETS},
    "text": DatasetInfo("text", "Text", 2, "A letter or a short word that you type."),
}
"""What to say about each set, in the order of a menu: 1-D first."""

DATASETS: dict[str, Callable[[int, int], Tensor]] = {name: partial(_points, name) for name in INFO}
"""Name to a function of (n, seed) that answers points (n, D), float32, standardised."""

MIXTURES: dict[str, Callable[[], tuple[Tensor, Tensor, Tensor]]] = {
    name: draw.parameters for name, draw in _DRAWS.items() if isinstance(draw, _Mixture)
}
"""Name to the exact mixture: weights (K,), means (K, D) and stds (K,), float64."""

MIXTURE_LABELS: dict[str, Tensor] = {
    name: torch.from_numpy(draw.labels.copy())
    for name, draw in _DRAWS.items()
    if isinstance(draw, _Mixture)
}
"""Name to the class of each component of the exact mixture, (K,) int64."""
