"""SynthPEDES on disk, in the layout of CUHK-PEDES: pictures under `imgs/`, and `reid_raw.json`, written last."""

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
VERSION = 1  # to be raised by every change that gives other bytes for the same seed


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
    """Draw SynthPEDES into a folder, in the layout of CUHK-PEDES.

    Every picture and every caption depends only on the seed, the split and its place in the split. So other splits,
    other numbers of identities or more processes change none of them. To resume an interrupted drawing, call again with
    the same settings. A folder that already holds the data set stays as it is.

    Args:
        directory: A new or empty folder, or one that this function wrote before.
        seed: Seed of the data set.
        train: Number of training identities; their ids run from 1.
        val: Number of validation identities; their ids follow.
        test: Number of test identities, an even number of near twins; their ids follow.
        pictures: Number of pictures of each identity, with two captions each.
        splits: Which splits to draw. Their ids are the same as if all splits were drawn.
        workers: Number of processes. The default is one for each available core; 1 draws in this process.
        progress: Whether to show a progress bar on stderr.

    Returns:
        What there is: `name`, `version`, `seed`, `counts`, `directory`, `splits` (identities, pictures and captions of
            each), `sha256` of `reid_raw.json`, `drawn` (pictures drawn by this call) and `seconds`.

    Raises:
        UnknownNameError: There is no such split.
        ConfigError: A setting makes no sense, or nothing can be written in the folder.
        DataError: The folder holds anything else; nothing is overwritten.
        WriteError: A file cannot be written; the next call resumes the drawing.
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
    entries = [entry for split in splits for entry in split_records(split, people[split], counts, pictures, seed)]
    annotation = ("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n").encode()
    digest = hashlib.sha256(annotation).hexdigest()
    if about:
        check_annotation(directory / ANNOTATION, digest, about)
    about = described(seed, counts, pictures, splits) | {"sha256": digest}
    make_folder(directory)
    # A data set is found by this file. So it exists only while everything else does.
    (directory / ANNOTATION).unlink(missing_ok=True)
    # Before the first picture: a drawing that is killed goes on only in a folder that says what it is.
    write_whole(directory / ABOUT, json.dumps(about, indent=2).encode() + b"\n")
    for split in splits:
        make_folder(directory / "imgs" / split)
        remove_parts(directory / "imgs" / split)
    missing = list(undrawn(directory, people, pictures, seed))
    draw_all(missing, workers=workers, progress=progress)
    write_whole(directory / ANNOTATION, annotation)
    return about | {"directory": str(directory), "drawn": len(missing) * pictures, "seconds": elapsed(started)}


def elapsed(started: float) -> float:
    """Return the seconds since a reading of the clock."""
    return round(time.perf_counter() - started, 2)


def checked_splits(
    splits: Sequence[str], counts: dict[str, int], pictures: int, workers: int | None
) -> tuple[str, ...]:
    """Check the settings, and return the splits in their usual order.

    Args:
        splits: The splits to draw.
        counts: Number of identities of each split.
        pictures: Number of pictures of each identity.
        workers: Number of processes; None for one a core.

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
    """Describe the data set as `synthpedes.json` does, without the hash of its annotations.

    Args:
        seed: Seed of the data set.
        counts: Number of identities of each split.
        pictures: Number of pictures of each identity.
        splits: The splits that are drawn.
    """
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
