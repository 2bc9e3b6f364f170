"""What only the page Edit has."""
