"""Distances between points."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from diffviz.tools.distances import distances


def test_distances_by_hand_do_not_change_far_from_the_origin() -> None:
    x, y = torch.zeros(30, 16), torch.zeros(40, 16)
    x[:, 0], y[:, 1] = torch.arange(30.0), 4.0
    wanted = (torch.arange(30.0) ** 2 + 16).sqrt()[:, None].expand(30, 40)
    for shift in (0.0, 300.0, 2.0**20):  # whole numbers are exact in float32
        assert_close(distances(x + shift, y + shift), wanted, rtol=1e-6, atol=0)
        assert distances(x + shift, x + shift).diagonal().eq(0).all()
