"""What ships trained: checkpoints, modules, and the weights."""
