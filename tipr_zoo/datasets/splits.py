"""The splits of a data set."""

from __future__ import annotations

SPLITS = ("train", "val", "test")
"""The names a split can have."""

EVERY_SPLIT = "all"
"""The name that stands for all splits together."""
