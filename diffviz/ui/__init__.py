"""Everything that knows Streamlit or Plotly; the core in ``diffviz`` knows neither."""
