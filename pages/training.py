"""The Training page: a network learns to denoise, beside the exact answer."""

from __future__ import annotations

from diffviz.ui import theme

theme.header("Training", "Watch a network learn to denoise, beside the exact answer.", "learned")
