"""netwright finds, trains, shrinks and ships the neural network that fits your data and your hardware."""

from __future__ import annotations

__version__ = "0.1.0"
