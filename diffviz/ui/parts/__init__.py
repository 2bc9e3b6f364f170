"""Components in the browser."""
