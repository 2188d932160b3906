"""Time of galleries in a folder: searches, and the bandwidth that bounds an exact scan.

    python benchmarks/gallery.py [--vectors 1000000] [--dimensions 512]

The hits must be those of NumPy's own scan. Times are wall and CPU seconds; the machine should do nothing else.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tipr_zoo.gallery.engines.folder import FolderEngine
from tipr_zoo.protocols import Condition, Row

_BLOCK = 20_000


def timed(what: str, work: Callable[[], object]) -> object:
    """Do something, and print how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    print(f"{what:60} {time.perf_counter() - wall:9.3f} s {time.process_time() - cpu:9.3f} CPU s", flush=True)
    return found


def vectors_like_embeddings(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Return unit vectors around many centres, as embeddings of people are."""
    numbers = np.random.default_rng(seed)
    centres = numbers.standard_normal((1000, dimension), np.float32)
    noise = numbers.standard_normal((count, dimension), np.float32)
    vectors = centres[numbers.integers(0, 1000, count)] + 0.8 * noise
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def measure_scan(folder: Path, count: int, dimension: int) -> None:
    """Measure searches of many vectors, beside NumPy."""
    vectors = vectors_like_embeddings(count, dimension)
    queries = vectors_like_embeddings(100, dimension, seed=1)
    engine = FolderEngine.create(str(folder / "scan"), "{}", dimension)

    def build() -> None:
        for start in range(0, count, _BLOCK):
            stop = min(start + _BLOCK, count)
            rows = [Row(f"{n:032x}", "{}", {"camera": n % 83}) for n in range(start, stop)]
            engine.add(rows, vectors[start:stop])

    timed(f"{count:,} vectors of {dimension}: added", build)
    engine.search(queries[:1], 10)
    one = timed("one query", lambda: engine.search(queries[:1], 10))
    many = timed("100 queries", lambda: engine.search(queries, 10))
    where = [Condition("camera", "=", 3)]
    filtered = timed("one query, 1.2 % fit", lambda: engine.search(queries[:1], 10, where))
    scores = timed("NumPy, one query", lambda: vectors @ queries[0])
    timed("bandwidth: the sum of all vectors", vectors.sum)
    best = np.argsort(-scores, kind="stable")[:10]
    assert {key for key, _ in one[0]} == {f"{n:032x}" for n in best}, "the hits are not NumPy's"
    assert one[0] == many[0], "a query alone finds something else than among others"
    fitting = np.arange(3, count, 83)
    best = fitting[np.argsort(-scores[fitting], kind="stable")[:10]]
    assert {key for key, _ in filtered[0]} == {f"{n:032x}" for n in best}, "the filter is not exact"
    engine.add([Row("f" * 32, "{}", {})], queries[:1])
    assert engine.search(queries[:1], 1)[0][0][0] == "f" * 32, "an added row is not found at once"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=1_000_000, help="vectors to scan (default 1,000,000)")
    parser.add_argument("--dimensions", type=int, default=512, help="numbers of each (default 512)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure_scan(Path(folder), options.vectors, options.dimensions)


if __name__ == "__main__":
    main()
