"""Distances between points, from differences."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["distances"]


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Return |x_i - y_j|, (N, M), from differences of coordinates.

    |x|^2 + |y|^2 - 2 <x, y> would be faster and loses its digits far from the origin, where a small
    number is left of two large ones.

    Args:
        x: (N, D).
        y: (M, D), of the same dtype.
    """
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
