"""Writing SynthPEDES in the layout of CUHK-PEDES: pictures under `imgs/`, and `reid_raw.json`, written last."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.synthpedes.captions import caption, tokens
from tipr_zoo.synthpedes.drawing import Sitting, draw_all, write_whole
from tipr_zoo.synthpedes.identity import SPLITS, Identity, identities, twin_attribute
from tipr_zoo.synthpedes.shot import shots
from tipr_zoo.synthpedes.streams import stream

VERSION = 1  # raised whenever the same seed gives other bytes
ANNOTATION, ABOUT = "reid_raw.json", "synthpedes.json"
CAPTIONS = 2  # a picture


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
        ConfigError: If a setting makes no sense.
        DataError: If the folder holds anything else; nothing is overwritten.
    """
    started = time.perf_counter()
    directory = Path(directory)
    counts = {"train": train, "val": val, "test": test}
    splits = checked_splits(splits, counts, pictures, workers)
    people = {split: identities(split, counts[split], seed=seed) for split in splits}
    records = [record for split in splits for record in split_records(split, people[split], counts, pictures, seed)]
    annotation = json.dumps(records, indent=0, ensure_ascii=False).encode()
    about = described(seed, counts, pictures, splits, annotation)
    check_folder(directory, about)

    missing = [sitting for split in splits for sitting in undrawn(directory, split, people[split], pictures, seed)]
    if missing or not (directory / ANNOTATION).exists():
        (directory / ANNOTATION).unlink(missing_ok=True)
        for split in splits:
            (directory / "imgs" / split).mkdir(parents=True, exist_ok=True)
        write_whole(directory / ABOUT, json.dumps(about, indent=2).encode() + b"\n")
        draw_all(missing, workers=workers, progress=progress)
        write_whole(directory / ANNOTATION, annotation)
    drawn = len(missing) * pictures
    return about | {"directory": str(directory), "drawn": drawn, "seconds": round(time.perf_counter() - started, 2)}


def checked_splits(
    splits: Sequence[str], counts: dict[str, int], pictures: int, workers: int | None
) -> tuple[str, ...]:
    """The splits in their usual order, once the settings make sense."""
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


def file_path(split: str, index: int, picture: int) -> str:
    """The path of a picture under `imgs/`."""
    return f"{split}/{index:05d}_{picture}.jpg"


def split_records(
    split: str, people: list[Identity], counts: dict[str, int], pictures: int, seed: int
) -> Iterator[dict[str, Any]]:
    """The records of `reid_raw.json` for one split."""
    first = 1 + sum(counts[other] for other in SPLITS[: SPLITS.index(split)])
    for index, identity in enumerate(people):
        twin = twin_attribute(split, index, people)
        for picture, shot in enumerate(shots(identity, split, index, pictures, seed=seed)):
            texts = [
                caption(identity, shot, twin, stream(seed, split, index, "caption", picture, number))
                for number in range(CAPTIONS)
            ]
            yield {
                "split": split,
                "captions": texts,
                "file_path": file_path(split, index, picture),
                "processed_tokens": [tokens(text) for text in texts],
                "id": first + index,
            }


def described(
    seed: int, counts: dict[str, int], pictures: int, splits: tuple[str, ...], annotation: bytes
) -> dict[str, Any]:
    """What `synthpedes.json` says about the data set."""
    return {
        "name": "SynthPEDES",
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
        "sha256": hashlib.sha256(annotation).hexdigest(),
    }


def check_folder(directory: Path, about: dict[str, Any]) -> None:
    """Raises DataError unless the folder is new, empty, or this very data set."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise DataError(f"{directory} is a file; name a folder to draw SynthPEDES into")
    names = sorted(os.listdir(directory))
    if not names:
        return
    if ABOUT not in names:
        raise DataError(
            f"{directory} already holds other files ({names[0]}, ...); nothing was written: name a new or empty folder"
        )
    try:
        found = json.loads((directory / ABOUT).read_bytes())
    except ValueError as error:
        raise DataError(f"{directory / ABOUT} is not JSON ({error}); delete the folder to draw it again") from error
    for key in ("name", "version", "seed", "counts", "splits", "sha256"):
        here, wanted = found.get(key) if isinstance(found, dict) else None, about[key]
        if here != wanted:
            if key == "splits" and isinstance(here, dict):
                here, wanted = list(here), list(wanted)
            raise DataError(
                f"{directory} holds SynthPEDES with {key} {here} instead of {wanted}; nothing was written: "
                "name another folder, or delete this one to draw it again"
            )


def undrawn(directory: Path, split: str, people: list[Identity], pictures: int, seed: int) -> Iterator[Sitting]:
    """The identities of a split whose pictures are not all there."""
    folder = directory / "imgs" / split
    there = {entry.name for entry in os.scandir(folder) if entry.stat().st_size} if folder.is_dir() else set()
    for index, identity in enumerate(people):
        paths = [file_path(split, index, picture) for picture in range(pictures)]
        if any(Path(path).name not in there for path in paths):
            yield Sitting(identity, split, index, seed, tuple(str(directory / "imgs" / path) for path in paths))
