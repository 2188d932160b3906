"""Time, memory and recall of searches of many vectors: a gallery in a folder, beside faiss and the bandwidth limit.

    pip install faiss-cpu
    python benchmarks/gallery.py [--vectors 1000000] [--dimensions 512] [--only folder bandwidth] [--markdown]

Vectors lie around people, on a cloud; queries are like sentences, off that cloud. Everything runs on one thread, each
engine in a process of its own. Recall@10 is of the true ten best. A filter keeps 1.2 % of the rows. Memory is the most
that the process took; pages of files that it maps are counted only for `folder` and `bandwidth`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from prettytable import PrettyTable, TableStyle

QUERIES, TOP, BLOCK, CAMERAS, MOST_PEOPLE = 100, 10, 20_000, 83, 250_000
LIMITS = {"build, CPU s": 20.0, "peak, MB": 1536.0, "a query, CPU ms": 10.0}
RECALL = 0.99


def write_vectors(folder: Path, count: int, dimension: int) -> None:
    """Write pictures' vectors, queries and the true ten best of each."""
    numbers = np.random.default_rng(0)
    spectrum = np.arange(1, dimension + 1) ** -0.5
    directions, _ = np.linalg.qr(numbers.standard_normal((dimension, dimension)))
    directions = (directions * spectrum / np.linalg.norm(spectrum)).astype(np.float32)
    people = numbers.standard_normal((min(MOST_PEOPLE, max(1, count // 4)), dimension), np.float32) @ directions
    of_pictures, of_texts = (unit(numbers.standard_normal((2, dimension), np.float32)) * [[0.7], [0.9]]).astype("f4")
    queries = 0.7 * people[numbers.integers(0, len(people), QUERIES)] + of_texts
    queries = unit(queries + 0.7 * numbers.standard_normal((QUERIES, dimension), np.float32) @ directions)
    best, best_filtered = Best(), Best()
    with (folder / "vectors.f32").open("wb") as file:
        for start in range(0, count, BLOCK):
            own = np.arange(start, min(start + BLOCK, count))
            noise = numbers.standard_normal((len(own), dimension), np.float32) @ directions
            vectors = unit(people[own % len(people)] + 0.6 * noise + of_pictures)
            vectors.tofile(file)
            scores = queries @ vectors.T
            best.see(own, scores)
            best_filtered.see(own[own % CAMERAS == 3], scores[:, own % CAMERAS == 3])
    np.save(folder / "queries.npy", queries)
    np.save(folder / "best.npy", best.ids)
    np.save(folder / "best_filtered.npy", best_filtered.ids)


class Best:
    """The best that were seen, of each query."""

    def __init__(self) -> None:
        self.ids = np.full((QUERIES, TOP), -1)
        self._scores = np.full((QUERIES, TOP), -2, np.float32)

    def see(self, ids: np.ndarray, scores: np.ndarray) -> None:
        """See more rows, and their scores with each query."""
        scores = np.concatenate([self._scores, scores], axis=1)
        ids = np.concatenate([self.ids, np.broadcast_to(ids, (QUERIES, len(ids)))], axis=1)
        order = np.argpartition(-scores, TOP - 1, axis=1)[:, :TOP]
        self._scores, self.ids = np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def read_vectors(folder: Path, dimension: int) -> np.ndarray:
    """Map the pictures' vectors."""
    return np.memmap(folder / "vectors.f32", np.float32, "r").reshape(-1, dimension)


def blocks(folder: Path, dimension: int) -> Any:
    """Read the pictures' vectors in parts, with the number of the first."""
    start = 0
    with (folder / "vectors.f32").open("rb") as file:
        while len(part := np.fromfile(file, np.float32, BLOCK * dimension)):
            yield start, part.reshape(-1, dimension)
            start += len(part) // dimension


def cpu_of(work: Callable[[], Any], times: int = 1) -> tuple[Any, float]:
    """Do something, and return what came of it, and the CPU seconds of one time."""
    start = time.process_time()
    for _ in range(times):
        found = work()
    return found, (time.process_time() - start) / times


def measure_folder(folder: Path, dimension: int) -> dict[str, Any]:
    """Measure a gallery in a folder."""
    from tipr_zoo.gallery.engines.folder import FolderEngine
    from tipr_zoo.protocols import Condition, Row

    engine = FolderEngine.create(str(folder / "gallery"), "{}", dimension)

    def build() -> None:
        for start, part in blocks(folder, dimension):
            rows = [Row(f"{n:032x}", "{}", {"camera": n % CAMERAS}) for n in range(start, start + len(part))]
            engine.add(rows, part)
        engine.flush()

    row: dict[str, Any] = {"build, CPU s": cpu_of(build)[1]}
    row["disk, MB"] = sum(file.stat().st_size for file in (folder / "gallery").iterdir()) / 2**20
    engine.close()
    engine = FolderEngine.open(str(folder / "gallery"))
    queries = np.load(folder / "queries.npy")
    row["first query, CPU ms"] = 1e3 * cpu_of(lambda: engine.search(queries[:1], TOP))[1]
    numbers = iter(range(QUERIES))
    row["a query, CPU ms"] = 1e3 * cpu_of(lambda: engine.search(queries[[next(numbers)]], TOP), 20)[1]
    found, seconds = cpu_of(lambda: engine.search(queries, TOP))
    row["of 100 at once"] = 1e3 * seconds / QUERIES
    row["recall@10"] = recall(np.array([[int(key, 16) for key, _ in hits] for hits in found]), folder / "best.npy")
    where = [Condition("camera", "=", 3)]
    found, seconds = cpu_of(lambda: [engine.search(queries[[n]], TOP, where)[0] for n in range(20)])
    row["filtered, CPU ms"] = 1e3 * seconds / 20
    ids = np.array([[int(key, 16) for key, _ in hits] for hits in found])
    row["recall@10, filtered"] = recall(ids, folder / "best_filtered.npy")
    assert (ids % CAMERAS == 3).all(), "the filter is not exact"
    engine.add([Row("f" * 32, "{}", {})], queries[:1])
    row["an added row, CPU ms"] = 1e3 * cpu_of(lambda: engine.search(queries[:1], 1))[1]
    assert engine.search(queries[:1], 1)[0][0][0] == "f" * 32, "an added row is not found at once"
    return row


def measure_faiss(folder: Path, dimension: int, index: Any) -> dict[str, Any]:
    """Measure an index of faiss."""
    import faiss

    faiss.omp_set_num_threads(1)

    def build() -> None:
        if not index.is_trained:
            index.train(np.ascontiguousarray(read_vectors(folder, dimension)[:: max(1, BLOCK // 400)][:BLOCK]))
        for _, part in blocks(folder, dimension):
            index.add(part)

    row: dict[str, Any] = {"build, CPU s": cpu_of(build)[1]}
    queries = np.load(folder / "queries.npy")
    row["first query, CPU ms"] = 1e3 * cpu_of(lambda: index.search(queries[:1], TOP))[1]
    numbers = iter(range(QUERIES))
    row["a query, CPU ms"] = 1e3 * cpu_of(lambda: index.search(queries[[next(numbers)]], TOP), 20)[1]
    (_, ids), seconds = cpu_of(lambda: index.search(queries, TOP))
    row["of 100 at once"] = 1e3 * seconds / QUERIES
    row["recall@10"] = recall(ids, folder / "best.npy")
    fits = faiss.IDSelectorBatch(np.arange(3, index.ntotal, CAMERAS))
    wanted = faiss.SearchParametersHNSW(sel=fits, efSearch=index.hnsw.efSearch) if hasattr(index, "hnsw") else None
    wanted = wanted or faiss.SearchParameters(sel=fits)
    try:
        (_, ids), seconds = cpu_of(lambda: index.search(queries[:20], TOP, params=wanted))
    except RuntimeError:
        return {**row, "recall@10, filtered": "refused"}
    row["filtered, CPU ms"] = 1e3 * seconds / 20
    row["recall@10, filtered"] = recall(ids, folder / "best_filtered.npy")
    return row


def measure_flat(folder: Path, dimension: int) -> dict[str, Any]:
    """Measure faiss' exact index."""
    import faiss

    return measure_faiss(folder, dimension, faiss.IndexFlatIP(dimension))


def measure_graph(folder: Path, dimension: int) -> dict[str, Any]:
    """Measure faiss' graph, M 32, searched with ef 64."""
    import faiss

    index = faiss.IndexHNSWFlat(dimension, 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = 64
    return measure_faiss(folder, dimension, index)


def measure_bytes(folder: Path, dimension: int) -> dict[str, Any]:
    """Measure faiss' codes of a byte a number."""
    import faiss

    return measure_faiss(folder, dimension, faiss.index_factory(dimension, "SQ8", faiss.METRIC_INNER_PRODUCT))


def measure_products(folder: Path, dimension: int) -> dict[str, Any]:
    """Measure faiss' codes of four bits for two numbers, refined by vectors in float16."""
    import faiss

    name = f"PQ{dimension // 2}x4fs,Refine(SQfp16)"
    index = faiss.index_factory(dimension, name, faiss.METRIC_INNER_PRODUCT)
    index.k_factor = 10
    return measure_faiss(folder, dimension, index)


def measure_bandwidth(folder: Path, dimension: int) -> dict[str, Any]:
    """Measure how long it takes to read every vector once."""
    vectors = read_vectors(folder, dimension)
    vectors.max()
    whole = np.frombuffer(vectors, np.float64)
    return {"a query, CPU ms": 1e3 * cpu_of(whole.max, 3)[1], "recall@10": 1.0}


def recall(found: np.ndarray, best: Path) -> float:
    """Return which part of the true ten best was found."""
    expected = np.load(best)
    return float(
        np.mean([len(set(one) & set(true)) / TOP for one, true in zip(found.tolist(), expected.tolist(), strict=False)])
    )


ENGINES = {
    "folder": measure_folder,
    "faiss flat": measure_flat,
    "faiss SQ8": measure_bytes,
    "faiss PQ fast scan": measure_products,
    "faiss HNSW": measure_graph,
    "bandwidth": measure_bandwidth,
}


def measured(name: str, folder: Path, dimension: int) -> dict[str, Any]:
    """Measure an engine in a process of its own, on one thread."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--in-folder", str(folder), "--dimensions", str(dimension), "--only", name]
    done = subprocess.run(command, env={**os.environ, **one}, capture_output=True, text=True)
    if done.returncode:
        return {"engine": f"{name}: {done.stderr.strip().splitlines()[-1]}"}
    return {"engine": name, **json.loads(done.stdout)}


def most_memory() -> float:
    """Return the most memory that this process took, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def show(rows: list[dict[str, Any]], *, markdown: bool) -> None:
    """Print the rows, and what the folder took of what it may take."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = PrettyTable(names, align="r")
    if markdown:
        table.set_style(TableStyle.MARKDOWN)
    for row in rows:
        table.add_row([shown(row.get(name, "")) for name in names])
    print(table)
    for row in rows:
        if row["engine"] == "folder" and row.keys() >= LIMITS.keys():
            parts = [f"{name} {row[name] / limit:.2f}" for name, limit in LIMITS.items()]
            print(f"of the limit: {', '.join(parts)}; recall@10 {row['recall@10']:.4f}, and {RECALL} at least")


def shown(value: Any) -> str:
    """Return a figure as the table has it."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def main() -> None:
    """Measure the engines one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=1_000_000, help="vectors to search (default 1,000,000)")
    parser.add_argument("--dimensions", type=int, default=512, help="numbers of each (default 512)")
    parser.add_argument("--only", nargs="+", choices=list(ENGINES), default=list(ENGINES), help="engines to measure")
    parser.add_argument("--where", type=Path, help="a folder for it all (default: the system's for temporary files)")
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")
    parser.add_argument("--in-folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_folder is not None:
        row = ENGINES[options.only[0]](options.in_folder, options.dimensions)
        print(json.dumps({**row, "peak, MB": most_memory()}))
        return
    with tempfile.TemporaryDirectory(dir=options.where) as name:
        write_vectors(Path(name), options.vectors, options.dimensions)
        rows = [measured(engine, Path(name), options.dimensions) for engine in options.only]
    print(f"{options.vectors:,} vectors of {options.dimensions}, one thread")
    show(rows, markdown=options.markdown)


if __name__ == "__main__":
    main()
