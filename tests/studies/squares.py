"""Pictures whose class can be seen, for studies that want a data set."""

from __future__ import annotations

import torch
from torch import Tensor

from diffviz.studies.evaluate import even_labels


def squares(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """White squares of ten sizes on black, somewhere."""
    labels = even_labels(count, 10)
    corner = torch.randint(0, 10, (count, 2), generator=torch.Generator().manual_seed(seed))
    pictures = -torch.ones(count, 1, 28, 28)
    for picture, label, (x, y) in zip(pictures, labels.tolist(), corner.tolist(), strict=True):
        picture[0, y : y + label + 6, x : x + label + 6] = 1
    return pictures, labels
