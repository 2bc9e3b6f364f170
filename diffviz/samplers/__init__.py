"""Samplers: one loop (``base``), many steps."""

from __future__ import annotations

from diffviz.samplers.ancestral import DDIM, DDPM, EulerAncestral
from diffviz.samplers.base import History, Sampler, Step
from diffviz.samplers.dpm import DPMpp2M, DPMpp2MSDE
from diffviz.samplers.ode import EDMStochastic, Euler, Heun, InRatio, InTime, Variable
from diffviz.samplers.sde import AnnealedLangevin, EulerMaruyama, PredictorCorrector

__all__ = [
    "DDIM",
    "DDPM",
    "SAMPLERS",
    "AnnealedLangevin",
    "DPMpp2M",
    "DPMpp2MSDE",
    "EDMStochastic",
    "Euler",
    "EulerAncestral",
    "EulerMaruyama",
    "Heun",
    "History",
    "InRatio",
    "InTime",
    "PredictorCorrector",
    "Sampler",
    "Step",
    "Variable",
]

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
