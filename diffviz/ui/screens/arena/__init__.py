"""What only the page Arena has."""
