"""Figures that the studies kept, as JSON, for the pages and docs/measurements.md."""

from pathlib import Path

__all__ = ["FIGURES"]

FIGURES = Path(__file__).parent
"""The folder that they lie in."""
