"""Everything that knows Streamlit or Plotly; the rest of ``diffviz`` knows neither."""

from __future__ import annotations

from diffviz.scenes.caching import keep_with
from diffviz.ui.shell.caching import shared_by_all

keep_with(shared_by_all)
