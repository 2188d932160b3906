"""Time of `tipr-zoo data check` at the size of CUHK-PEDES, beside its parts, and of decoding in one process or several.

    python benchmarks/data_check.py [--pictures 40206] [--folder DIR]

A data set of CUHK-PEDES's counts with drawn captions and small noisy JPEGs of many sizes is written once, into the
cache folder. No torch is needed.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.datasets import CUHKPEDES, check_dataset, open_dataset
from tipr_zoo.datasets.checks.decoding import unreadable_pictures
from tipr_zoo.machine.processes import available_cores

FOLDERS = ("cam_a", "cam_b", "CUHK01", "CUHK03", "Market", "test_query", "train_query")
WORDS = (
    "a",
    "the",
    "man",
    "woman",
    "with",
    "red",
    "blue",
    "black",
    "white",
    "shirt",
    "trousers",
    "bag",
    "short",
    "hair",
)


def draw_annotations(scale: float) -> Iterator[dict[str, Any]]:
    """Draw annotations. Each split has the published numbers of identities, pictures and captions, times `scale`."""
    draw, identity = random.Random(0), 0
    for split, counts in CUHKPEDES.specification.published.items():
        people, pictures = (max(1, round(scale * count)) for count in (counts.identities, counts.pictures))
        captions = round(scale * counts.captions)
        for number in range(pictures):
            texts = 2 if number < pictures - 1 else max(1, captions - 2 * (pictures - 1))
            sentences = [" ".join(draw.choices(WORDS, k=draw.randint(15, 40))) + "." for _ in range(texts)]
            yield {
                "split": split,
                "captions": sentences,
                "file_path": f"{FOLDERS[number % len(FOLDERS)]}/{split}_{number}.jpg",
                "processed_tokens": [sentence.rstrip(".").split() for sentence in sentences],
                "id": identity + 1 + number % people,
            }
        identity += people


def write_dataset(folder: Path, scale: float) -> None:
    """Write the data set if it is missing."""
    if (folder / "reid_raw.json").is_file():
        return
    draw = random.Random(1)
    annotations = list(draw_annotations(scale))
    patterns = [Image.effect_noise((8, 16), 90) for _ in range(50)]
    for annotation in annotations:
        path = folder / "imgs" / annotation["file_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        size = draw.randint(50, 130), draw.randint(140, 280)
        draw.choice(patterns).resize(size).convert("RGB").save(path, quality=draw.randint(80, 95))
    (folder / "reid_raw.json").write_text(json.dumps(annotations))


def seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def report(what: str, call: Callable[[], Any]) -> None:
    """Print the time of a call, and the part of it that this process computed. The rest is the disk and others."""
    computed = time.process_time()
    took = seconds(call)
    print(f"{what:30}{took:6.1f} s  ({time.process_time() - computed:.1f} s of computing)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    total = sum(counts.pictures for counts in CUHKPEDES.specification.published.values())
    parser.add_argument("--pictures", type=int, default=total, help=f"about how many (default {total})")
    parser.add_argument("--folder", type=Path, help="where the data set is or will be (default: in the cache folder)")
    options = parser.parse_args()
    folder = options.folder or cache_folder() / "data" / f"check_benchmark_{options.pictures}"
    write_dataset(folder, options.pictures / total)

    dataset = open_dataset(folder, split="all")
    print(f"{len(dataset.pictures):,} pictures, {len(dataset.captions):,} captions, {available_cores()} cores")
    report("open one split", partial(open_dataset, folder))
    report("check without decoding", partial(check_dataset, folder, decode=False))
    for workers in (1, available_cores()):
        took = seconds(partial(unreadable_pictures, dataset.pictures, False, workers))
        each = f"{len(dataset.pictures) / took:,.0f} pictures/s"
        print(f"decode in {workers:2} process(es)       {took:6.1f} s  {each}")
    report("check", partial(check_dataset, folder))


if __name__ == "__main__":
    main()
