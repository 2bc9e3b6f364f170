"""Small things that know nothing of diffusion."""
