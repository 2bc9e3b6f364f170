"""The Guidance page: ask for a class, and push."""

from __future__ import annotations

from diffviz.ui import theme

theme.header("Guidance", "Ask for a class, push harder, and see what comes out.", "exact")
