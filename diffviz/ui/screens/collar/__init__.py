"""What only the page A dog with a collar has."""
