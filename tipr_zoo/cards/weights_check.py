"""Comparing a weights file with its card."""

from __future__ import annotations

from pathlib import Path

from tipr_zoo.cards.card import Weights
from tipr_zoo.errors import WeightsError
from tipr_zoo.outside.files import file_sha256


def check_file(path: Path, weights: Weights, advice: str) -> None:
    """Compare a file with the size and hash that the card gives.

    Args:
        path: The file.
        weights: What the card says of it.
        advice: The fix for the error message.

    Raises:
        WeightsError: They differ.
    """
    if (size := path.stat().st_size) != weights.size:
        raise WeightsError(f"weights {path} have {size} bytes, the card says {weights.size}; {advice}")
    if (sha256 := file_sha256(path)) != weights.sha256:
        raise WeightsError(f"weights {path} have sha256 {sha256}, the card says {weights.sha256}; {advice}")
