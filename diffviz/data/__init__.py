"""What is learned from: points, pictures, drawn dogs, full sets."""
