"""From a run to what the player shows."""
