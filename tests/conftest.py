"""Settings for all tests."""

from __future__ import annotations

import torch

# Tests run side by side, a process a core; threads within them would only wait for each other.
torch.set_num_threads(1)
