"""The metrics are those that the official evaluation gives, in both directions and at every rank up to ten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tipr_zoo.evaluation.metrics import retrieval_metrics

FILES = Path(os.environ.get("TIPR_PARITY_DIR") or Path(__file__).parent / "files")
CASES = sorted(FILES.glob("metrics*.npz"))


def test_there_is_something_to_compare_with():
    assert CASES, f"no metrics*.npz in {FILES}"


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_metrics_agree_with_the_official_evaluation(path, direction):
    expected = json.loads(path.with_suffix(".json").read_text())[direction]
    with np.load(path) as arrays:
        similarity, query_ids, gallery_ids = (arrays[key] for key in ("similarity", "query_pids", "gallery_pids"))
    if direction == "i2t":
        similarity, query_ids, gallery_ids = similarity.T, gallery_ids, query_ids
    ranks = range(1, len(expected["cmc"]) + 1)

    metrics = retrieval_metrics(similarity, query_ids, gallery_ids, ranks=ranks)

    assert [metrics[f"R{rank}"] for rank in ranks] == pytest.approx(expected["cmc"], abs=1e-3)
    assert metrics["mAP"] == pytest.approx(expected["mAP"], abs=1e-3)
    assert metrics["mINP"] == pytest.approx(expected["mINP"], abs=1e-3)
