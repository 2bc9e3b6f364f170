"""What only the page The bound has."""
