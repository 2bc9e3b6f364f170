"""What only the page Refine has."""
