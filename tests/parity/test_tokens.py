"""CLIP's token ids, exactly: mixed case, entities, Unicode, empty and over-long captions."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tipr_zoo.registries import TOKENIZERS

FILES = Path(os.environ.get("TIPR_PARITY_DIR") or Path(__file__).parent / "files")
CASES = sorted(FILES.glob("tokens*.npz"))


def test_there_is_something_to_compare_with():
    assert CASES, f"no tokens*.npz in {FILES}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_id_is_the_official_one(path):
    captions = json.loads(path.with_suffix(".json").read_text())
    with np.load(path) as arrays:
        (expected,) = (arrays[key] for key in arrays.files)
    ids = TOKENIZERS.build({"type": "CLIPTokenizer"})(captions).numpy()
    different = [caption for caption, mine, other in zip(captions, ids, expected, strict=True) if (mine != other).any()]
    assert different == []
