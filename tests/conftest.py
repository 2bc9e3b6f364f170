"""Settings for all tests."""

from __future__ import annotations

import os

import pytest
import torch

# Tests run side by side on all cores; threads within them would only wait for each other.
torch.set_num_threads(1)


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a journey waits for a third of its time."""
    return (os.cpu_count() or 1) + 1


LONGEST = ("test_screens.py", "test_skeleton.py", "test_menus.py", "test_recipes.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process is left alone with one at the end."""
    order = {name: k for k, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
