"""Time and recall of galleries on real servers, beside a folder. The servers are those of ``make servers``.

    make servers
    python benchmarks/gallery_engines.py [--vectors 100000] [--dimensions 512] [--engines folder postgresql milvus]

Vectors and queries are those of benchmarks/gallery.py. Times are wall seconds of one client: most of the work is the
server's. Recall@10 is of the true ten best; the filter keeps 1.2 % of the rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gallery import CAMERAS, QUERIES, TOP, blocks, recall, show, write_vectors

from tipr_zoo.gallery.engines import FolderEngine, MilvusEngine, PostgreSQLEngine
from tipr_zoo.protocols import Condition, Engine, Row

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from engine_servers import MilvusServer, PostgreSQLServer  # the tests' servers


def wall_of(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do something, and return what came of it, and the seconds."""
    start = time.perf_counter()
    found = work()
    return found, time.perf_counter() - start


def measure(name: str, engine: Engine, folder: Path, dimension: int) -> dict[str, Any]:
    """Measure an engine that holds nothing yet."""

    def add() -> None:
        for start, part in blocks(folder, dimension):
            for first in range(0, len(part), 1000):
                own = part[first : first + 1000]
                numbers = range(start + first, start + first + len(own))
                engine.add([Row(f"{n:032x}", "{}", {"camera": n % CAMERAS}) for n in numbers], own)

    queries = np.load(folder / "queries.npy")
    row: dict[str, Any] = {"engine": name, "add, s": wall_of(add)[1], "index, s": wall_of(engine.flush)[1]}
    engine.search(queries[:1], TOP)
    row["a query, ms"] = 1e3 * wall_of(lambda: [engine.search(queries[[n]], TOP) for n in range(20)])[1] / 20
    found, seconds = wall_of(lambda: engine.search(queries, TOP))
    row["of 100 at once"] = 1e3 * seconds / QUERIES
    row["recall@10"] = recall(numbers_of(found), folder / "best.npy")
    where = [Condition("camera", "=", 3)]
    found, seconds = wall_of(lambda: engine.search(queries, TOP, where))
    row["filtered, ms"] = 1e3 * seconds / QUERIES
    row["recall@10, filtered"] = recall(numbers_of(found), folder / "best_filtered.npy")
    return row


def numbers_of(found: list[list[tuple[str, float]]]) -> np.ndarray:
    """Return the numbers of the rows that were found."""
    return np.array([[int(key, 16) for key, _ in hits] for hits in found])


def on_folder(folder: Path, dimension: int) -> dict[str, Any]:
    """Measure a gallery in a folder."""
    return measure("folder", FolderEngine.create(str(folder / "crops.gallery"), "{}", dimension), folder, dimension)


def on_server(title: str, server_of: Any, engine_of: Any, folder: Path, dimension: int) -> dict[str, Any]:
    """Measure a gallery on a server that is started for it."""
    server = server_of()
    try:
        engine = engine_of.create(f"{server.address('crops')}?timeout=600", "{}", dimension)
        return measure(title, engine, folder, dimension)
    finally:
        server.stop()


ENGINES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "folder": on_folder,
    "postgresql": partial(on_server, "PostgreSQL 18, pgvector", PostgreSQLServer, PostgreSQLEngine),
    "milvus": partial(on_server, "Milvus 2.3.5 standalone", MilvusServer, MilvusEngine),
}


def main() -> None:
    """Measure the engines one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=100_000, help="vectors to search (default 100,000)")
    parser.add_argument("--dimensions", type=int, default=512, help="numbers of each (default 512)")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES), help="what to measure")
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_vectors(Path(name), options.vectors, options.dimensions)
        rows = [ENGINES[engine](Path(name), options.dimensions) for engine in options.engines]
    print(f"{options.vectors:,} vectors of {options.dimensions}")
    show(rows, markdown=options.markdown)


if __name__ == "__main__":
    main()
