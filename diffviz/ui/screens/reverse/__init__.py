"""What only the page Reverse has."""
