"""The image panels: runs of images, and images that the browser noises itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffviz.scenes.buffer.format import Buffer, Dtype
from diffviz.scenes.buffer.points import BADGES, Badge

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Images:
    """A run of images: x_t, and beside it the predicted x_0 and the predicted noise.

    F is the clock's number of frames, N the number of images, C is 1 (grey) or 3 (RGB).  Images are
    drawn in [-1, 1], values outside are clipped; noise is drawn in [-3, 3].  Every array is sent at
    8 bits a value over the range of its own frame, so that the histogram of x_t is not clipped.

    Attributes:
        title: the panel's name.
        x_t: (F, N, C, H, W) the images at every frame, as drawn: multiplied by ``scale`` where one
            is given.
        x_0: the same shape: the predicted images; or (1, N, C, H, W): the data itself.
        eps: the same shape: the predicted noise; or (1, N, C, H, W): the noise that is added.
        badge: ``exact``, ``learned`` or ``data``, or None.
        labels: (N,) a label for each image.
        scale: (F,) factor that ``x_t`` was multiplied by for drawing.
        note: a sentence below the panel, for example on the drawing scale.
        captions: role to the symbol and the words below its picture, where they are not those of
            a run in time.
        film: whether the strip along the scrubber may show this panel; it shows the first that may.

    Raises:
        ValueError: when shapes disagree, a value is not finite, or a badge is unknown.
    """

    title: str
    x_t: ArrayLike
    x_0: ArrayLike | None = None
    eps: ArrayLike | None = None
    badge: Badge | None = None
    labels: Sequence[object] | None = None
    scale: ArrayLike | None = None
    note: str | None = None
    captions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    film: bool = True

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        shape = _images("x_t", self.x_t, 5).shape
        for name, values in (("x_0", self.x_0), ("eps", self.eps)):
            if values is None:
                continue
            other = _images(name, values, 5).shape
            if other[1:] != shape[1:] or other[0] not in {1, shape[0]}:
                raise ValueError(
                    f"{name} has shape {other}; here it needs {shape} or {(1, *shape[1:])}"
                )
        _check_scale(self.scale, shape[0])
        _check_words(self.badge, self.labels, shape[1])

    @property
    def frames(self) -> int:
        """The number of frames F."""
        return int(np.shape(self.x_t)[0])

    def pack(self, buffer: Buffer, prefix: str) -> dict[str, Any]:
        """Add the panel's arrays to a buffer and return its header entry."""
        names: dict[str, str] = {}
        for role, values in (("x_t", self.x_t), ("x_0", self.x_0), ("eps", self.eps)):
            if values is not None:
                unit, ends = _by_frame(np.asarray(values, dtype=np.float32))
                names[role] = buffer.add(f"{prefix}.{role}", unit, "u8", 0.0, 1.0)
                names[f"{role}_range"] = buffer.add(f"{prefix}.{role}_range", ends, "f32")
        if self.scale is not None:
            names["scale"] = buffer.add(f"{prefix}.scale", self.scale, "f32")
        entry = _entry("images", self, np.shape(self.x_t)[1:], names)
        captions = {role: list(words) for role, words in self.captions.items()}
        return entry | {"captions": captions, "film": self.film}


@dataclass(frozen=True, eq=False)
class Mix:
    """Images that the browser noises itself: x_t = alpha_t x_0 + sigma_t eps.

    Only the images and one draw of noise are sent, so that large images play at full speed; alpha
    and sigma come from the clock and are interpolated between its frames.

    Attributes:
        title: the panel's name.
        x_0: (N, C, H, W) images in [-1, 1]; sent at 8 bits a value where that is exact, else 16.
        eps: (N, C, H, W) the noise; sent at 16 bits a value over its true range.
        badge: ``exact``, ``learned`` or ``data``, or None.
        labels: (N,) a label for each image.
        scale: (F,) factor that x_t is multiplied by for drawing.
        note: a sentence below the panel, for example on the drawing scale.

    Raises:
        ValueError: when shapes disagree, a value is not finite, or a badge is unknown.
    """

    title: str
    x_0: ArrayLike
    eps: ArrayLike
    badge: Badge | None = None
    labels: Sequence[object] | None = None
    scale: ArrayLike | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        shape, other = _images("x_0", self.x_0, 4).shape, _images("eps", self.eps, 4).shape
        if shape != other:
            raise ValueError(f"eps has shape {other}; here it needs {shape}")
        _check_scale(self.scale, None)
        _check_words(self.badge, self.labels, shape[0])

    @property
    def frames(self) -> int | None:
        """The number of frames F that the drawing scale is given for; None when any will do."""
        return None if self.scale is None else int(np.size(self.scale))

    def pack(self, buffer: Buffer, prefix: str) -> dict[str, Any]:
        """Add the panel's arrays to a buffer and return its header entry."""
        x_0 = np.asarray(self.x_0, dtype=np.float32)
        low, high = min(-1.0, float(x_0.min())), max(1.0, float(x_0.max()))
        names = {
            "x_0": buffer.add(f"{prefix}.x_0", x_0, _depth(x_0, low, high), low, high),
            "eps": buffer.add(f"{prefix}.eps", np.asarray(self.eps, dtype=np.float32)),
        }
        if self.scale is not None:
            names["scale"] = buffer.add(f"{prefix}.scale", self.scale, "f32")
        return _entry("mix", self, x_0.shape, names)


def _entry(
    kind: str, panel: Images | Mix, shape: tuple[int, ...], names: dict[str, str]
) -> dict[str, Any]:
    labels = panel.labels
    return {
        "kind": kind,
        "title": panel.title,
        "badge": panel.badge,
        "note": panel.note,
        "count": int(shape[0]),
        "size": [int(n) for n in shape[1:]],
        "labels": None if labels is None else [_text(label) for label in labels],
        "arrays": names,
    }


def _images(name: str, values: ArrayLike, ndim: int) -> Floats:
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; it needs {ndim} axes, none empty")
    if array.shape[-3] not in {1, 3}:
        raise ValueError(f"{name} has {array.shape[-3]} channels: images are grey (1) or RGB (3)")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are NaN or infinite")
    return array


def _by_frame(array: Floats) -> tuple[Floats, Floats]:
    """Map each frame of (F, ...) to [0, 1]; also return the (F, 2) ends that undo it."""
    flat = array.reshape(array.shape[0], -1)
    ends = np.stack([np.minimum(flat.min(axis=1), -1.0), np.maximum(flat.max(axis=1), 1.0)], axis=1)
    span = (ends[:, 1] - ends[:, 0])[:, None]
    unit = (flat - ends[:, :1]) / span
    return np.clip(unit, 0.0, 1.0).reshape(array.shape), ends.astype(np.float32)


def _depth(x_0: Floats, low: float, high: float) -> Dtype:
    codes = (x_0 - low) / (high - low) * 255.0
    return "u8" if float(np.abs(codes - np.rint(codes)).max()) < 1e-2 else "u16"


def _check_scale(scale: ArrayLike | None, frames: int | None) -> None:
    if scale is None:
        return
    array = np.asarray(scale, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all() or not (array > 0).all():
        raise ValueError("scale needs one positive number for each frame")
    if frames is not None and array.shape[0] != frames:
        raise ValueError(f"scale has {array.shape[0]} frames but x_t has {frames}")


def _check_words(badge: str | None, labels: Sequence[object] | None, count: int) -> None:
    if badge is not None and badge not in BADGES:
        raise ValueError(f"badge is {badge!r}; use one of {', '.join(BADGES)} or None")
    if labels is not None and len(labels) != count:
        raise ValueError(f"there are {len(labels)} labels for {count} images")


def _text(label: object) -> str:
    return str(label.item() if hasattr(label, "item") else label)
