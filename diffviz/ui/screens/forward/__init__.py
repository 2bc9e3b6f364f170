"""What only the page Forward has."""
