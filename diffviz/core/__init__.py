"""The mathematics: one path, one denoiser, one loop."""
