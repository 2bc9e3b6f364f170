"""What leaves the app as a file: curves of schedules, runs as numbers, and runs as pictures."""

from __future__ import annotations

import csv
import inspect
import io
import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageColor
from torch import Tensor

from diffviz.core.schedules import DiscreteVP, Schedule
from diffviz.core.trajectory import Trajectory
from diffviz.measures.curves import Chain, chain

__all__ = [
    "curves_to_csv",
    "curves_to_json",
    "images_to_gif",
    "points_to_gif",
    "samples_to_csv",
    "trajectory_to_npz",
]

_COLUMNS = tuple(field.name for field in fields(Chain))
_ABOUT = (
    "x_t = alpha_t x_0 + sigma_t eps. Entry k of each list is about noising k + 1 of {n}, which "
    "ends at time t; beta is the variance it adds, posterior_variance that of the state before it "
    "given the state after it and x_0. null stands for minus infinity."
)


def curves_to_csv(schedules: Mapping[str, Schedule]) -> str:
    """Return every quantity of every noising of some schedules as one long table.

    Columns: schedule, k (the noising, from 1), then those of ``Chain``.  A log-SNR of minus
    infinity is written -inf.

    Args:
        schedules: by the name to write in the first column.
    """
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(("schedule", "k", *_COLUMNS))
    for name, schedule in schedules.items():
        table = np.stack([getattr(chain(schedule), column).numpy() for column in _COLUMNS], axis=1)
        for k, row in enumerate(table.tolist(), start=1):
            writer.writerow((name, k, *(f"{value:.10g}" for value in row)))
    return sheet.getvalue()


def curves_to_json(schedules: Mapping[str, Schedule]) -> str:
    """Return the same numbers as JSON, with the parameters of each schedule.

    Args:
        schedules: by the name to write.
    """
    entries = [_entry(name, schedule) for name, schedule in schedules.items()]
    return json.dumps({"schedules": entries}, allow_nan=False)


def _entry(name: str, schedule: Schedule) -> dict[str, Any]:
    table = chain(schedule)
    columns = {column: _numbers(getattr(table, column).tolist()) for column in _COLUMNS}
    return {
        "name": name,
        "class": type(schedule).__name__,
        "parameters": _parameters(schedule),
        "discrete": isinstance(schedule, DiscreteVP),
        "steps": len(table.t),
        "about": _ABOUT.format(n=len(table.t)),
        **columns,
    }


def _parameters(schedule: Schedule) -> dict[str, Any]:
    arguments = inspect.signature(type(schedule).__init__).parameters
    known = {name: getattr(schedule, name, None) for name in arguments}
    return {name: v for name, v in known.items() if isinstance(v, int | float | tuple)}


def _numbers(values: list[float]) -> list[float | None]:
    return [float(f"{value:.10g}") if math.isfinite(value) else None for value in values]


# Runs ------------------------------------------------------------------------------------------


def trajectory_to_npz(trajectory: Trajectory) -> bytes:
    """Return every array of a run in numpy's format, named as in ``Trajectory``.

    Read it with ``numpy.load(file)``: plain arrays, nothing pickled.
    """
    arrays = {f.name: getattr(trajectory, f.name).numpy() for f in fields(trajectory)}
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def samples_to_csv(samples: Tensor) -> str:
    """Return samples (N, ...) as a table: one row each, one column for each coordinate."""
    flat = samples.flatten(1)
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(f"x_{d + 1}" for d in range(flat.shape[1]))
    writer.writerows([f"{value:.7g}" for value in row] for row in flat.tolist())
    return sheet.getvalue()


def points_to_gif(
    x: Tensor,
    limits: tuple[float, float] = (-3.0, 3.0),
    *,
    color: str = "#0072B2",
    background: str = "#FFFFFF",
    side: int = 480,
    seconds: float = 5.0,
) -> bytes:
    """Return a cloud of points that moves, as an animated GIF that loops.

    Args:
        x: (F, N, 2) positions; the second coordinate points up.
        limits: the ends of both axes; points outside are not drawn.
        color: of the points, a CSS hex color.
        background: of the picture.
        side: its pixels along each axis, even.
        seconds: how long a round takes, with the last frame held for a second more.
    """
    low, high = limits
    place = (x.double() - low) / (high - low) * side
    frames = [_gif_frame(_dots(at, side), color, background) for at in place]
    return _gif(frames, seconds)


def images_to_gif(x: Tensor, *, columns: int = 5, zoom: int = 4, seconds: float = 5.0) -> bytes:
    """Return a sheet of pictures that change, as an animated GIF that loops.

    Args:
        x: (F, N, C, H, W) in [-1, 1], one or three channels; values outside are clipped.
        columns: pictures in a row.
        zoom: pixels of the GIF for each pixel along an axis.
        seconds: as in ``points_to_gif``.
    """
    F, N, C, H, W = x.shape
    columns = min(columns, N)
    rows = -(-N // columns)
    sheet = torch.ones(F, rows * columns, C, H, W)
    sheet[:, :N] = x.float().clamp(-1, 1)
    tiled = sheet.reshape(F, rows, columns, C, H, W).permute(0, 1, 4, 2, 5, 3)
    pixels = ((tiled.reshape(F, rows * H, columns * W, C) + 1) * 127.5).round().to(torch.uint8)
    size = (columns * W * zoom, rows * H * zoom)
    frames = []
    for frame in pixels.expand(F, rows * H, columns * W, 3).numpy():
        picture = Image.fromarray(frame).resize(size, Image.Resampling.NEAREST)
        frames.append(picture.convert("P", palette=Image.Palette.ADAPTIVE))
    return _gif(frames, seconds)


def _dots(place: Tensor, side: int) -> NDArray[np.float64]:
    """(side, side) how much of each pixel is covered by round dots, 0 to 1; row 0 is the top."""
    x, y = place[:, 0], side - place[:, 1]
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    column, row = x[inside].long(), y[inside].long()
    hits = torch.zeros(side, side, dtype=torch.float64)
    hits.index_put_((row, column), torch.ones(len(row), dtype=torch.float64), accumulate=True)
    dot = torch.tensor([[0.35, 0.8, 0.35], [0.8, 1.0, 0.8], [0.35, 0.8, 0.35]]).double()
    ink = torch.nn.functional.conv2d(hits[None, None], dot[None, None], padding=1)[0, 0]
    cover: NDArray[np.float64] = (1 - torch.exp(-1.5 * ink)).numpy()
    return cover


def _gif_frame(cover: NDArray[np.float64], color: str, background: str) -> Image.Image:
    """A picture of 64 shades between two colors."""
    ends = [np.array(ImageColor.getrgb(name)[:3], dtype=np.float64) for name in (background, color)]
    shades = np.linspace(0, 1, 64)[:, None]
    palette = ((1 - shades) * ends[0] + shades * ends[1]).round().astype(np.uint8)
    picture = Image.fromarray((cover * 63).round().astype(np.uint8), mode="P")
    picture.putpalette(palette.tobytes())
    return picture


def _gif(frames: list[Image.Image], seconds: float) -> bytes:
    beat = max(round(1000 * seconds / len(frames)), 20)
    file = io.BytesIO()
    frames[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[beat] * (len(frames) - 1) + [beat + 1000],
        loop=0,
        optimize=False,
    )
    return file.getvalue()
