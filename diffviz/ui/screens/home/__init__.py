"""What only the page Home has."""
