"""Diffusion models, made visible: exact maths, real data, and a player in the browser."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
