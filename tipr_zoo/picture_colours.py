"""The colours that every drawn page shares."""

from __future__ import annotations

PAPER, INK, PALE_INK = (255, 255, 255), (28, 30, 34), (104, 110, 120)
