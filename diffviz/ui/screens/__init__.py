"""What only one page has, a folder each."""
