"""What only the page Latent space has."""
