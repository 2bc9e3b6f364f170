"""What only the page The bill has."""
