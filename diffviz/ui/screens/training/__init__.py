"""What only the page Training has."""
