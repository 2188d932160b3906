"""CLIP's learned positions are resized to another grid of patches as the official code resizes them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tipr_zoo.backbones.position_grid import resize_position_grid

FILES = Path(os.environ.get("TIPR_PARITY_DIR") or Path(__file__).parent / "files")
FIGURES = sorted(FILES.glob("posembed*.npz"))
CASES = [
    pytest.param(path, name, id=f"{path.stem}-{name}")
    for path in FIGURES
    for name in np.load(path).files
    if name.startswith("target_")
]


def test_there_is_something_to_compare_with() -> None:
    assert CASES, f"no posembed*.npz with targets in {FILES}"


@pytest.mark.parametrize(("path", "name"), CASES)
def test_every_position_is_the_official_one(path: Path, name: str) -> None:
    rows, columns = map(int, name.removeprefix("target_").split("x"))
    with np.load(path) as arrays:
        source, expected = arrays["source"], arrays[name]
    resized = resize_position_grid(torch.from_numpy(source), (rows, columns)).numpy()
    np.testing.assert_allclose(resized, expected, rtol=0, atol=1e-6)
