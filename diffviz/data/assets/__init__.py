"""Files that the data are made of, and what made them."""
