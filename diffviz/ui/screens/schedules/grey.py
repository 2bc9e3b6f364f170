"""Samples from a chain that stops short of pure noise, beside those of the same chain rescaled.

At its noisiest stop such a chain expects a trace of the data, their brightness above all.  A
sampler starts from N(0, I), which has none: to the denoiser that is the trace of medium grey,
and dark or bright pictures come out too seldom (Lin et al. 2023, section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Exact
from diffviz.core.distributions import Empirical
from diffviz.core.grids import make_grid
from diffviz.core.samplers import DDIM
from diffviz.core.schedules import DiscreteVP, zero_terminal_snr
from diffviz.data.pictures import labelled_images
from diffviz.scenes.pngs import strip_uri
from diffviz.scenes.sharing import Shared
from diffviz.ui.shell.waiting import wait_for

_KNOWN = 300  # pictures that the exact denoiser knows
_SAMPLES, _SHOWN = 400, 12
_STEPS = 12


@dataclass(frozen=True, eq=False)
class Ends:
    """Where samples end.

    Attributes:
        x: (N, C, H, W) the samples.
        mean: their brightness, from -1 for black to 1 for white.
        data: that of the pictures they are samples of.
    """

    x: NDArray[np.float32]
    mean: float
    data: float


@lru_cache(maxsize=8)
@torch.inference_mode()
def ends(chain: DiscreteVP, rescaled: bool) -> Ends:
    """Sample pictures of Fashion-MNIST by their exact denoiser, DDIM from N(0, I) at t = 1.

    Args:
        chain: one that may stop short of pure noise.
        rescaled: whether it is rescaled to zero terminal SNR.
    """
    known = _known()
    schedule = zero_terminal_snr(chain) if rescaled else chain
    noise = torch.randn(_SAMPLES, *known.shape[1:], generator=torch.Generator().manual_seed(0))
    grid = make_grid(schedule, min(_STEPS, chain.T), "trailing")
    denoiser = Shared(Exact(Empirical(known), schedule))
    x = DDIM().sample(denoiser, schedule, grid, noise)
    return Ends(x.numpy(), float(x.mean()), float(known.mean()))


def show(chain: DiscreteVP, label: str) -> None:
    """Draw samples with and without the rescaling, from the same noise, with their brightness.

    Args:
        chain: before it is rescaled.
        label: its name, as Markdown.
    """
    st.subheader("What zero terminal SNR does to samples", anchor=False)
    rows = []
    for title, rescaled in (("As it is", False), ("Zero SNR", True)):
        made = wait_for(
            lambda _, r=rescaled: ends(chain, r),  # type: ignore[misc]
            f"{title}: {_SAMPLES} samples",
            st.empty(),
        )
        rows.append(made)
        st.html(
            '<div style="display:flex;align-items:center;gap:0.6rem">'
            f'<span style="flex:0 0 5.5rem">{title}</span>'
            f'<img alt="{title}: samples of mean brightness {made.mean:.3f}" '
            f'src="{strip_uri(made.x[:_SHOWN], 56)}" style="max-width:100%;min-width:0;'
            'max-height:56px;image-rendering:pixelated"></div>'
        )
    st.markdown(about(label, *rows))


def about(label: str, before: Ends, after: Ends) -> str:
    """What the rescaling did, as it was measured."""
    return (
        f"{_SAMPLES} pictures of Fashion-MNIST by the exact denoiser of {_KNOWN} of them, from the "
        f"same noise, {_STEPS} steps of DDIM: their mean brightness (-1 black, 1 white) is "
        f"**{before.mean:.3f}** on {label} as it is and **{after.mean:.3f}** rescaled; that of the "
        f"data is **{before.data:.3f}**. A chain that stops short of pure noise takes the noise it "
        "starts from, which has no brightness of its own, for the trace of a medium grey picture."
    )


@lru_cache(maxsize=1)
def _known() -> Tensor:
    return labelled_images("fashion", _KNOWN, 0)[0]
