"""Settings for all tests."""

from __future__ import annotations

import os

import torch

# Tests run side by side on all cores; threads within them would only wait for each other.
torch.set_num_threads(1)


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a journey waits for a third of its time."""
    return (os.cpu_count() or 1) + 1
