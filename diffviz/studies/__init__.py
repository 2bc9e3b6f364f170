"""Experiments with a kept result, and the commands that make them."""
