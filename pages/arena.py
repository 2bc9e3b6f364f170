"""The Arena page: samplers race from the same noise on one clock."""

from __future__ import annotations

from diffviz.ui import theme

theme.header("Arena", "Samplers race from the same noise on one clock.", "exact")
