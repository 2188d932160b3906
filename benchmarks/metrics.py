"""Time and extra memory of `retrieval_metrics` beside those of the usual full argsort, at the sizes of real test sets.

    python benchmarks/metrics.py            # CUHK-PEDES's test split and all of ICFG-PEDES against itself (minutes)
    python benchmarks/metrics.py --quick    # CUHK-PEDES's size alone

Each way runs in a fresh process with the default number of threads, on the same tie-free matrix. Extra memory is the
growth of the process's peak resident memory once the matrix is there. The figures of the two must agree to 1e-6.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from prettytable import PrettyTable

IDENTITIES = 1000
TOLERANCE = 1e-6  # of a percent
RANKS = (1, 5, 10)


@dataclass(frozen=True)
class Size:
    name: str
    queries: int
    gallery: int
    usual_repeats: int
    usual_needs_gib: float  # free memory that the usual way needs, including the matrix


SIZES = [
    Size("CUHK-PEDES test", 6156, 3074, usual_repeats=3, usual_needs_gib=2),
    Size("ICFG-PEDES test", 19848, 19848, usual_repeats=1, usual_needs_gib=16),
]


@dataclass(frozen=True)
class Measurement:
    seconds: list[float]
    extra_bytes: int
    matrix_bytes: int
    metrics: dict[str, float]


def tie_free_matrix(queries: int, gallery: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a float32 matrix and its ids. The values of a row are distinct. Matches are more likely near the top."""
    rng = np.random.default_rng(0)
    query_ids, gallery_ids = np.arange(queries) % IDENTITIES, np.arange(gallery) % IDENTITIES
    values = np.linspace(-1, 1, gallery, dtype=np.float32)
    matrix = np.empty((queries, gallery), np.float32)
    for row, query_id in zip(matrix, query_ids, strict=True):
        score = rng.standard_normal(gallery, dtype=np.float32) + 3 * (gallery_ids == query_id)
        row[score.argsort()] = values
    return matrix, query_ids, gallery_ids


def usual_ranking(similarity, query_ids, gallery_ids):
    """Compute the metrics like usual evaluation scripts: argsort, gather, cumulative sums. Also return the hits."""
    import torch

    order = torch.argsort(similarity, dim=1, descending=True)
    hits = gallery_ids[order] == query_ids[:, None]
    found = hits.cumsum(1)
    match_count = hits.sum(1)
    last_rank = (found < match_count[:, None]).sum(1) + 1
    precision = found / torch.arange(1, hits.shape[1] + 1)
    average_precision = (precision * hits).sum(1) / match_count
    metrics = {f"R{rank}": 100 * (found[:, rank - 1] > 0).float().mean().item() for rank in RANKS}
    metrics["mAP"] = 100 * average_precision.mean().item()
    metrics["mINP"] = 100 * (match_count / last_rank).mean().item()
    return metrics, hits


def metrics_in_float64(hits: np.ndarray) -> dict[str, float]:
    """Compute the metrics from the ranked hits again, exactly. The usual float32 means are only good to 1e-4."""
    places = [np.flatnonzero(row) + 1 for row in hits]
    first_rank = np.array([place[0] for place in places])
    return {
        **{f"R{rank}": 100 * float((first_rank <= rank).mean()) for rank in RANKS},
        "mAP": 100 * float(np.mean([(np.arange(1, len(place) + 1) / place).mean() for place in places])),
        "mINP": 100 * float(np.mean([len(place) / place[-1] for place in places])),
    }


def measure_usual(queries: int, gallery: int, repeats: int) -> Measurement:
    import torch

    def rank(similarity, query_ids, gallery_ids):
        return usual_ranking(*map(torch.from_numpy, (similarity, query_ids, gallery_ids)))

    measurement, (rough, hits) = _measure(rank, queries, gallery, repeats)
    exact = metrics_in_float64(hits.numpy())
    _assert_equal(rough, exact, tolerance=1e-3)
    return Measurement(*measurement, metrics=exact)


def measure_ours(queries: int, gallery: int, repeats: int) -> Measurement:
    from tipr_zoo.evaluation.metrics import retrieval_metrics

    measurement, metrics = _measure(retrieval_metrics, queries, gallery, repeats)
    return Measurement(*measurement, metrics=metrics)


def _measure(rank, queries: int, gallery: int, repeats: int):
    rank(*tie_free_matrix(IDENTITIES, IDENTITIES))  # lazy imports and thread pools must not count
    matrix, query_ids, gallery_ids = tie_free_matrix(queries, gallery)
    peak_before = _peak_bytes()
    seconds = []
    for _ in range(repeats):
        result = None  # free that of the round before
        start = time.perf_counter()
        result = rank(matrix, query_ids, gallery_ids)
        seconds.append(time.perf_counter() - start)
    return (seconds, _peak_bytes() - peak_before, matrix.nbytes), result


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def _in_fresh_process(function, *arguments) -> Measurement:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _assert_equal(left: dict[str, float], right: dict[str, float], tolerance: float) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert abs(left[name] - right[name]) <= tolerance, f"{name}: {left[name]!r} is not {right[name]!r}"


def _free_gib() -> float:
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(meminfo["MemAvailable"].split()[0]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="measure CUHK-PEDES's size alone")
    parser.add_argument("--repeats", type=int, default=3, help="runs of ours, of which the median counts (default 3)")
    options = parser.parse_args()

    table = PrettyTable(["size", "way", "time, median (s)", "extra memory (MiB)", "matrix (MiB)"], align="r")
    ratios = []
    for size in SIZES[:1] if options.quick else SIZES:
        free = _free_gib()
        if free < size.usual_needs_gib:
            raise SystemExit(f"{size.name}: the usual way needs {size.usual_needs_gib} GiB free, {free:.1f} are")
        usual = _in_fresh_process(measure_usual, size.queries, size.gallery, size.usual_repeats)
        ours = _in_fresh_process(measure_ours, size.queries, size.gallery, options.repeats)
        _assert_equal(usual.metrics, ours.metrics, TOLERANCE)
        shape = f"{size.queries:,} x {size.gallery:,}"
        for way, measured in (("argsort", usual), ("ours", ours)):
            seconds, extra = statistics.median(measured.seconds), measured.extra_bytes / 2**20
            table.add_row([shape, way, f"{seconds:.3f}", f"{extra:,.1f}", f"{measured.matrix_bytes / 2**20:,.0f}"])
        speed = statistics.median(usual.seconds) / statistics.median(ours.seconds)
        memory = usual.extra_bytes / max(1, ours.extra_bytes)
        figures = ", ".join(f"{name} {figure:.4f}" for name, figure in ours.metrics.items())
        ratios.append(f"{shape} ({size.name}): {speed:.0f}x faster, 1/{memory:.0f} of the extra memory")
        ratios.append(f"  same figures within {TOLERANCE:g}: {figures}")
    print(table)
    print("\n".join(ratios))
    print(f"on {os.cpu_count()} cores, default threads")


if __name__ == "__main__":
    main()
