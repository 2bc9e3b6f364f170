"""What only the page Three generators has."""
