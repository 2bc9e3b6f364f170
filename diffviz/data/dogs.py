r"""Drawings of dogs, 28 x 28 and grey, some with a collar: a set whose attributes are all known.

A dog is a handful of round strokes.  A stroke from a to b whose radius goes from r_a to r_b covers
the pixel at p by

    c(p) = clamp(1/2 - d(p), 0, 1),    d(p) = |p - q| - r_q,

where q is the place on the segment ab that is nearest to p and r_q the radius there: d is the
signed distance to the stroke's edge in pixels (exact where the radius is constant), and one pixel
of it is the soft edge.  Strokes are painted one over the other, x <- x + c (ink - x), on white
paper.

The collar is a black band across the neck, a little wider than it, with a bright tag at the throat.
It is painted after the neck and before the head, so that a dog with a collar is, but for these
pixels, the same dog without: ``collar_mask`` says which.

    looks = sample_looks(8, seed=0)
    pictures = draw(looks)                     # (8, 1, 28, 28) in [-1, 1]
    without = draw(replace(looks, collar=torch.zeros(8, dtype=torch.bool)))

Source: of the stroke's distance, the usual one of a capsule (Bloomenthal 1997, "Introduction to
Implicit Surfaces", chapter 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = [
    "CLASSES",
    "COLLAR",
    "SIDE",
    "Looks",
    "collar_mask",
    "draw",
    "neck_mask",
    "sample",
    "sample_looks",
]

SIDE = 28
"""Pixels on each side of a drawing."""

CLASSES = ("no collar", "collar")
"""What the labels of a drawing mean."""

COLLAR = 0.02
"""Grey of the collar, from 0 for black to 1 for white."""

_TAG, _PAPER, _DARK = 0.97, 1.0, 0.03  # greys of the tag, the paper, and of eye and nose
_COATS = (0.42, 0.72)  # greys of a coat
_ROWS = 1000  # dogs that are drawn at once, so that memory stays bounded
_BAND = 1.15  # half the width of the collar, in pixels of a dog of size 1
_WIDER = 0.5  # how far the collar stands out from the neck, likewise


@dataclass(frozen=True, eq=False)
class Looks:
    """What N dogs look like; every attribute is a tensor (N,).

    Attributes:
        left: whether it faces left.
        sits: whether it sits; else it stands.
        pointed: whether its ears stand up in points; else they hang.
        spotted: whether it has a dark saddle.
        tail: how high it holds its tail, from 0 (down) to 1 (up).
        nod: how far its head is turned down, in radians, about -0.2 to 0.2.
        muzzle: length of its muzzle, 1 for the usual.
        size: of the dog, 1 to fill the picture.
        right: how far it stands to the right of the middle, in pixels.
        down: how far below the middle, in pixels.
        coat: grey of its coat, from 0 for black to 1 for white.
        collar: whether it wears a collar.
    """

    left: Tensor
    sits: Tensor
    pointed: Tensor
    spotted: Tensor
    tail: Tensor
    nod: Tensor
    muzzle: Tensor
    size: Tensor
    right: Tensor
    down: Tensor
    coat: Tensor
    collar: Tensor

    def __len__(self) -> int:
        """How many dogs."""
        return len(self.size)

    def __getitem__(self, rows: slice | Tensor) -> Looks:
        """The looks of some of the dogs."""
        return Looks(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    def wearing(self, collar: bool) -> Looks:
        """The same dogs, all with a collar or all without."""
        return replace(self, collar=torch.full_like(self.collar, collar))


def sample_looks(n: int, seed: int, share: float = 0.5) -> Looks:
    """Draw the looks of n dogs at random.

    Args:
        n: how many.
        seed: of the draw.
        share: of those that wear a collar; it is independent of everything else.
    """
    generator = torch.Generator().manual_seed(seed)
    u = iter(torch.rand(12, n, generator=generator).unbind())

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * next(u)

    def flip(chance: float = 0.5) -> Tensor:
        return next(u) < chance

    return Looks(
        left=flip(),
        sits=flip(),
        pointed=flip(),
        spotted=flip(),
        tail=between(0, 1),
        nod=between(-0.2, 0.2),
        muzzle=between(0.8, 1.2),
        size=between(0.85, 1.0),
        right=between(-0.8, 0.8),
        down=between(-1, 1),
        coat=between(*_COATS),
        collar=flip(share),
    )


def sample(n: int, seed: int, share: float = 0.5) -> tuple[Tensor, Tensor, Looks]:
    """Draw n dogs at random.

    Args:
        n: how many.
        seed: of the draw.
        share: of those that wear a collar.

    Returns:
        (N, 1, 28, 28) pictures in [-1, 1], their (N,) labels (1 for a collar), and their looks.
    """
    looks = sample_looks(n, seed, share)
    rows = range(0, n, _ROWS)
    parts = [draw(looks[first : first + _ROWS]) for first in rows]
    pictures = torch.cat(parts) if parts else torch.zeros(0, 1, SIDE, SIDE)
    return pictures, looks.collar.long(), looks


# A dog in strokes ---------------------------------------------------------------------------------

_Place: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class _Frame:
    """Where a dog's own places, in pixels of a dog of size 1 that faces right, lie in a picture.

    Attributes:
        x: (N, 28, 28) each pixel's place along the dog, from 0 at the picture's left.
        y: (N, 28, 28) its place downwards.
        size: (N, 1, 1) pixels of the picture to one of these.
    """

    x: Tensor
    y: Tensor
    size: Tensor

    @classmethod
    def of(cls, looks: Looks) -> _Frame:
        middle, size = SIDE / 2, looks.size[:, None, None]
        at = torch.arange(SIDE) + 0.5
        sign = torch.where(looks.left, -1.0, 1.0)[:, None, None]
        x = (at[None, None, :] - middle - looks.right[:, None, None]) * sign / size + middle
        y = (at[None, :, None] - middle - looks.down[:, None, None]) / size + middle
        shape = len(looks), SIDE, SIDE
        return cls(x.expand(shape), y.expand(shape), size)

    def turned(self, about: tuple[Tensor, Tensor], angle: Tensor) -> _Frame:
        """The same, for what is turned clockwise about a place by (N, 1, 1) radians."""
        x, y = self.x - about[0], self.y - about[1]
        cos, sin = angle.cos(), angle.sin()
        return _Frame(about[0] + cos * x + sin * y, about[1] - sin * x + cos * y, self.size)

    def stroke(self, a: _End, b: _End, wider: float = 0.0) -> Tensor:
        """How much of each pixel a stroke covers, (N, 28, 28) from 0 to 1."""
        (ax, ay, ar), (bx, by, br) = a, b
        dx, dy = torch.as_tensor(bx - ax), torch.as_tensor(by - ay)
        square = (dx * dx + dy * dy).clamp_min(1e-9)
        share = (((self.x - ax) * dx + (self.y - ay) * dy) / square).clamp(0, 1)
        away = torch.hypot(self.x - ax - share * dx, self.y - ay - share * dy)
        return self.covered(away - ar - share * (br - ar) - wider)

    def dot(self, x: _Number, y: _Number, radius: float) -> Tensor:
        """How much of each pixel a disc covers."""
        return self.covered(torch.hypot(self.x - x, self.y - y) - radius)

    def covered(self, distance: Tensor) -> Tensor:
        """How much of each pixel lies within an edge that is so far outwards, in a dog's pixels."""
        covered: Tensor = (0.5 - self.size * distance).clamp(0, 1)
        return covered


_Number: TypeAlias = float | Tensor
_End: TypeAlias = tuple[_Number, _Number, _Number]  # a place and the radius there


@dataclass(frozen=True)
class _Pose:
    """How a dog of size 1 that faces right carries itself: places and radii in pixels.

    Attributes:
        rump, chest: ends of the body.
        neck: where it leaves the body.
        head: the middle of the head.
        far, near: the legs, each from its top to its foot.
        tail: where it begins.
    """

    rump: tuple[float, float, float]
    chest: tuple[float, float, float]
    neck: _Place
    head: _Place
    far: tuple[tuple[_Place, _Place], ...]
    near: tuple[tuple[_Place, _Place], ...]
    tail: _Place


_STANDS = _Pose(
    rump=(7.8, 16.2, 3.0),
    chest=(15.2, 15.8, 3.5),
    neck=(16.2, 13.6),
    head=(19.4, 6.9),
    far=(((9.4, 17.5), (10.2, 24.6)), ((14.2, 17.5), (14.0, 24.6))),
    near=(((6.8, 17.0), (6.6, 24.8)), ((16.6, 17.0), (17.0, 24.8))),
    tail=(5.4, 14.8),
)
_SITS = _Pose(
    rump=(9.2, 20.4, 4.3),
    chest=(14.4, 14.9, 3.3),
    neck=(15.0, 13.2),
    head=(17.8, 6.4),
    far=(((14.0, 16.0), (14.4, 24.6)), ((8.6, 24.0), (11.0, 24.6))),
    near=(((16.0, 15.5), (16.8, 24.8)), ((9.6, 24.2), (13.0, 24.6))),
    tail=(5.6, 22.0),
)


def _pick(looks: Looks, stands: float, sits: float) -> Tensor:
    return torch.where(looks.sits, sits, stands)[:, None, None]


def _place(looks: Looks, stands: tuple[float, ...], sits: tuple[float, ...]) -> list[Tensor]:
    return [_pick(looks, *both) for both in zip(stands, sits, strict=True)]


@dataclass(frozen=True)
class _Neck:
    """The neck's two ends and the collar's middle, in a dog's own places."""

    low: _End
    high: _End
    collar: tuple[Tensor, Tensor]
    across: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, looks: Looks) -> _Neck:
        low, high = (
            _place(looks, getattr(_STANDS, end), getattr(_SITS, end)) for end in ("neck", "head")
        )
        dx, dy = high[0] - low[0], high[1] - low[1]
        length = torch.hypot(dx, dy)
        at = 0.36  # of the way up
        middle = low[0] + at * dx, low[1] + at * dy
        return cls(
            (low[0], low[1], 2.5), (high[0], high[1], 2.0), middle, (-dy / length, dx / length)
        )

    def cover(self, frame: _Frame, wider: float = 0.0) -> Tensor:
        """How much of each pixel the neck covers."""
        return frame.stroke(self.low, self.high, wider)

    def band(self, frame: _Frame, half: float, wider: float) -> Tensor:
        """How much of each pixel a ring round the neck covers, ``half`` as wide as twice that."""
        along = (frame.x - self.collar[0]) * self.across[1] - (
            frame.y - self.collar[1]
        ) * self.across[0]
        return frame.covered(along.abs() - half) * self.cover(frame, wider)

    def tag(self) -> tuple[Tensor, Tensor]:
        """Where the tag hangs: at the throat, below the band."""
        reach = 1.7
        return self.collar[0] + reach * self.across[0], self.collar[1] + reach * self.across[
            1
        ] + 0.9


def draw(looks: Looks) -> Tensor:
    """Draw dogs, (N, 1, 28, 28) in [-1, 1], white paper at 1."""
    frame, neck = _Frame.of(looks), _Neck.of(looks)
    coat = looks.coat[:, None, None]
    x = torch.full((len(looks), SIDE, SIDE), _PAPER)
    for cover, ink in _behind(looks, frame, neck, coat):
        x = x + cover * (ink - x)
    worn = looks.collar[:, None, None].to(x.dtype)
    for cover, ink in _collar(frame, neck):
        x = x + worn * cover * (ink - x)
    for cover, ink in _head(looks, frame, neck, coat):
        x = x + cover * (ink - x)
    return (2 * x - 1).clamp(-1, 1)[:, None]


_Layers: TypeAlias = list[tuple[Tensor, Tensor | float]]


def _behind(looks: Looks, frame: _Frame, neck: _Neck, coat: Tensor) -> _Layers:
    """What is painted before the collar: far legs, tail, body, near legs, saddle, neck."""
    layers: _Layers = []
    for which, ink, radius in (("far", 0.72 * coat, 1.15), ("near", coat, 1.3)):
        for stands, sits in zip(getattr(_STANDS, which), getattr(_SITS, which), strict=True):
            top, foot = (_place(looks, *both) for both in zip(stands, sits, strict=True))
            leg = frame.stroke((top[0], top[1], radius + 0.3), (foot[0], foot[1], radius))
            paw = frame.dot(foot[0] + 0.7, foot[1] + 0.1, radius)
            layers.append((torch.maximum(leg, paw), ink))
    root = _place(looks, _STANDS.tail, _SITS.tail)
    lift = (math.radians(-35) + math.radians(100) * looks.tail)[:, None, None]
    lift = lift + torch.where(looks.sits, 0.25, 0.0)[:, None, None]
    tip = root[0] - 4.2 * lift.cos(), root[1] - 4.2 * lift.sin()
    layers.insert(2, (frame.stroke((root[0], root[1], 1.2), (*tip, 0.75)), coat))
    rump = _place(looks, _STANDS.rump, _SITS.rump)
    chest = _place(looks, _STANDS.chest, _SITS.chest)
    body = frame.stroke((rump[0], rump[1], rump[2]), (chest[0], chest[1], chest[2]))
    layers.insert(3, (body, coat))
    at = 0.3
    middle = [(1 - at) * a + at * b for a, b in zip(rump, chest, strict=True)]
    saddle = frame.stroke(
        (middle[0] - 1.0, middle[1] - 1.6, 1.7), (middle[0] + 1.4, middle[1] - 1.8, 1.7)
    )
    spotted = looks.spotted[:, None, None].to(coat.dtype)
    layers.append((spotted * saddle * body, 0.5 * coat))
    layers.append((neck.cover(frame), coat))
    return layers


def _collar(frame: _Frame, neck: _Neck) -> _Layers:
    tag = neck.tag()
    return [
        (neck.band(frame, _BAND, _WIDER), COLLAR),
        (frame.dot(*tag, 1.35), COLLAR),
        (frame.dot(*tag, 0.8), _TAG),
    ]


def _head(looks: Looks, frame: _Frame, neck: _Neck, coat: Tensor) -> _Layers:
    """What is painted after the collar: skull, muzzle, nose, eye, ear."""
    hx, hy = neck.high[0], neck.high[1]
    assert isinstance(hx, Tensor)
    assert isinstance(hy, Tensor)
    own = frame.turned((hx, hy), looks.nod[:, None, None])
    reach = 4.3 * looks.muzzle[:, None, None]
    skull = own.stroke((hx - 0.3, hy - 0.2, 3.1), (hx + 0.6, hy, 3.0))
    muzzle = own.stroke((hx + 1.5, hy + 1.0, 1.9), (hx + reach, hy + 1.3, 1.35))
    pointed = looks.pointed[:, None, None]
    up = own.stroke((hx - 1.2, hy - 2.0, 1.5), (hx - 2.0, hy - 5.4, 0.3))
    hangs = own.stroke((hx - 1.8, hy - 1.7, 1.2), (hx - 2.9, hy + 1.9, 1.5))
    return [
        (skull, coat),
        (muzzle, coat + 0.35 * (1 - coat)),
        (own.dot(hx + reach + 0.5, hy + 0.3, 1.05), _DARK),
        (own.dot(hx + 1.2, hy - 0.8, 0.75), _DARK),
        (torch.where(pointed, up, hangs), 0.55 * coat),
    ]


def collar_mask(looks: Looks) -> Tensor:
    """Where a collar changes a drawing, or would: (N, 28, 28) bool."""
    return (draw(looks.wearing(True)) != draw(looks.wearing(False)))[:, 0]


def neck_mask(looks: Looks, reach: int = 1) -> Tensor:
    """The collar's pixels and all within ``reach`` pixels of them, also diagonally: (N, 28, 28)."""
    mask = collar_mask(looks)[:, None].float()
    wide = torch.nn.functional.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)
    return wide[:, 0] > 0
