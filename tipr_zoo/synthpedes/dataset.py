"""Writing SynthPEDES in the layout of CUHK-PEDES: pictures under `imgs/`, and `reid_raw.json`, written last."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError
from tipr_zoo.machine.result_place import check_folder, make_folder
from tipr_zoo.machine.whole_file import remove_parts, write_whole
from tipr_zoo.synthpedes.drawing import draw_all
from tipr_zoo.synthpedes.folder import ABOUT, ANNOTATION, check_annotation, found_in, is_complete, undrawn
from tipr_zoo.synthpedes.identity import SPLITS, identities
from tipr_zoo.synthpedes.records import CAPTIONS, split_records

NAME = "SynthPEDES"
VERSION = 1  # raised whenever the same seed gives other bytes


def draw_synthpedes(
    directory: str | Path,
    *,
    seed: int = 0,
    train: int = 1000,
    val: int = 100,
    test: int = 200,
    pictures: int = 4,
    splits: Sequence[str] = SPLITS,
    workers: int | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Draws SynthPEDES into a folder, in the layout of CUHK-PEDES.

    Every picture and every caption depends on the seed, the split and its place in the split alone: drawing one split,
    more training identities, or with more processes changes none of the others. An interrupted drawing is resumed by
    calling again with the same settings; a folder that already holds the data set is left as it is.

    Args:
        directory: A new or empty folder, or one that this function wrote before.
        seed: Seed of the data set.
        train: Training identities; their ids run from 1.
        val: Validation identities; their ids follow.
        test: Test identities, an even number of near twins; their ids follow.
        pictures: Pictures of each identity, with two captions each.
        splits: Which splits to draw; ids count the others as if they were there.
        workers: Processes; all available cores by default, 1 draws in this process.
        progress: Whether to show a progress bar on stderr.

    Returns:
        What there is: `name`, `version`, `seed`, `directory`, `splits` (identities, pictures and captions of each),
        `sha256` of `reid_raw.json`, `drawn` (pictures drawn by this call) and `seconds`.

    Raises:
        ConfigError: If a setting makes no sense, or nothing can be written in the folder.
        DataError: If the folder holds anything else; nothing is overwritten.
        WriteError: A file cannot be written; drawing goes on from there the next time.
    """
    started = time.perf_counter()
    directory = Path(directory)
    counts = {"train": train, "val": val, "test": test}
    splits = checked_splits(splits, counts, pictures, workers)
    asked = described(seed, counts, pictures, splits)
    about = found_in(directory, asked)
    if about and is_complete(directory, about):
        return about | {"directory": str(directory), "drawn": 0, "seconds": elapsed(started)}

    check_folder(directory)
    splits = tuple((about or asked)["splits"])
    people = {split: identities(split, counts[split], seed=seed) for split in splits}
    records = [record for split in splits for record in split_records(split, people[split], counts, pictures, seed)]
    annotation = ("[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n").encode()
    digest = hashlib.sha256(annotation).hexdigest()
    if about:
        check_annotation(directory / ANNOTATION, digest, about)
    about = described(seed, counts, pictures, splits) | {"sha256": digest}
    for split in splits:
        make_folder(directory / "imgs" / split)
        remove_parts(directory / "imgs" / split)
    # Whoever looks for a data set looks for the annotation: it is there only while everything else is.
    (directory / ANNOTATION).unlink(missing_ok=True)
    write_whole(directory / ABOUT, json.dumps(about, indent=2).encode() + b"\n")
    missing = list(undrawn(directory, people, pictures, seed))
    draw_all(missing, workers=workers, progress=progress)
    write_whole(directory / ANNOTATION, annotation)
    return about | {"directory": str(directory), "drawn": len(missing) * pictures, "seconds": elapsed(started)}


def elapsed(started: float) -> float:
    """Seconds since a reading of the clock."""
    return round(time.perf_counter() - started, 2)


def checked_splits(
    splits: Sequence[str], counts: dict[str, int], pictures: int, workers: int | None
) -> tuple[str, ...]:
    """The splits in their usual order, once the settings make sense.

    Raises:
        UnknownNameError: There is no such split.
        ConfigError: No split is named, or a number makes no sense.
    """
    chosen = (splits,) if isinstance(splits, str) else tuple(splits)
    for split in chosen:
        if split not in SPLITS:
            raise unknown_name("split of SynthPEDES", split, SPLITS)
    if not chosen:
        raise ConfigError("no split of SynthPEDES to draw; name at least one of train, val, test")
    for name, count in (*counts.items(), ("pictures", pictures)):
        if count < 1:
            raise ConfigError(f"{name} of SynthPEDES is {count}; it must be at least 1")
    if counts["test"] % 2:
        raise ConfigError(
            f"test of SynthPEDES is {counts['test']}; its identities are pairs of twins: use an even number"
        )
    if workers is not None and workers < 1:
        raise ConfigError(f"workers is {workers}; use at least 1, or leave it out for all cores")
    return tuple(split for split in SPLITS if split in chosen)


def described(seed: int, counts: dict[str, int], pictures: int, splits: tuple[str, ...]) -> dict[str, Any]:
    """What `synthpedes.json` says about the data set, but for the hash of its annotation."""
    return {
        "name": NAME,
        "version": VERSION,
        "seed": seed,
        "counts": counts | {"pictures": pictures},
        "splits": {
            split: {
                "identities": counts[split],
                "pictures": counts[split] * pictures,
                "captions": counts[split] * pictures * CAPTIONS,
            }
            for split in splits
        },
    }
