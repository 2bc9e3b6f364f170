"""What only the page Guidance has."""
