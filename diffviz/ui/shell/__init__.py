"""What every page stands in: links, widgets, theme, caching, waiting, jobs."""
