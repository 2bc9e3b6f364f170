"""What only the page Generate has."""
