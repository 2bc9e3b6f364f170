"""Libraries that ours is compared with, imported when they are first asked for.

Every process that runs tests reads all of them, and few need these, which take longer to import
than all the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def diffusers() -> Any:
    """The diffusers library."""
    return import_module("diffusers")


def sklearn_datasets() -> Any:
    """scikit-learn's module of data sets."""
    return import_module("sklearn.datasets")
