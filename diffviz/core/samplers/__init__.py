"""Samplers: one loop (``base``), many steps."""

from __future__ import annotations

from diffviz.core.history import History, Visit
from diffviz.core.samplers.ancestral import DDIM, DDPM, EulerAncestral
from diffviz.core.samplers.base import Coefficients, LinearSampler, Sampler, Step, line
from diffviz.core.samplers.dpm import DPMpp2M, DPMpp2MSDE
from diffviz.core.samplers.ode import EDMStochastic, Euler, Heun
from diffviz.core.samplers.sde import AnnealedLangevin, EulerMaruyama, PredictorCorrector
from diffviz.core.variables import VARIABLES, InRatio, InTime

__all__ = [
    "DDIM", "DDPM", "SAMPLERS", "VARIABLES", "AnnealedLangevin", "Coefficients", "DPMpp2M",
    "DPMpp2MSDE", "EDMStochastic", "Euler", "EulerAncestral", "EulerMaruyama", "Heun", "History",
    "InRatio", "InTime", "LinearSampler", "PredictorCorrector", "Sampler", "Step", "Visit", "line",
]  # fmt: skip

SAMPLERS: dict[str, type[Sampler]] = {
    "ddpm": DDPM,
    "ddim": DDIM,
    "euler": Euler,
    "heun": Heun,
    "edm": EDMStochastic,
    "euler_maruyama": EulerMaruyama,
    "predictor_corrector": PredictorCorrector,
    "euler_ancestral": EulerAncestral,
    "dpmpp_2m": DPMpp2M,
    "dpmpp_2m_sde": DPMpp2MSDE,
    "langevin": AnnealedLangevin,
}
