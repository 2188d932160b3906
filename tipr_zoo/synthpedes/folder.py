"""The content of a folder: nothing, this very data set, a part of it, or something else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tipr_zoo.errors import DataError
from tipr_zoo.machine.whole_file import is_part
from tipr_zoo.outside.files import ANNOTATION_LIMIT, NOTE_LIMIT, file_sha256, read_text
from tipr_zoo.outside.parsing import parse_json
from tipr_zoo.synthpedes.drawing import Sitting
from tipr_zoo.synthpedes.identity import SPLITS, Identity
from tipr_zoo.synthpedes.records import file_path

ANNOTATION, ABOUT = "reid_raw.json", "synthpedes.json"


def found_in(directory: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Read `synthpedes.json` in a folder that holds the data set that is asked for, or nothing.

    Args:
        directory: The folder.
        asked: `name`, `version`, `seed`, `counts` and `splits` of the data set that is asked for.

    Returns:
        The description of the data set there, or None if the folder is new or empty.

    Raises:
        DataError: The folder holds anything else.
    """
    if not directory.exists():
        return None
    if not directory.is_dir():
        raise DataError(f"{directory} is a file; name a folder to draw SynthPEDES into")
    names = sorted(name for name in os.listdir(directory) if not is_part(name))
    if not names:
        return None
    if ABOUT not in names:
        raise DataError(
            f"{directory} already holds other files ({names[0]}, ...); nothing was written: name a new or empty folder"
        )
    try:
        found = parse_json(read_text(directory / ABOUT, NOTE_LIMIT))
    except OSError as error:
        raise DataError(f"{directory / ABOUT} cannot be read ({error}); delete the folder to draw it again") from error
    except ValueError as error:
        raise DataError(f"{directory / ABOUT} is not JSON ({error}); delete the folder to draw it again") from error
    check_settings(directory, found, asked)
    return dict(found)


def check_settings(directory: Path, found: Any, asked: dict[str, Any]) -> None:
    """Check that a folder holds the data set that is asked for.

    Args:
        directory: The folder.
        found: What its `synthpedes.json` says.
        asked: `name`, `version`, `seed`, `counts` and `splits` of the data set that is asked for.

    Raises:
        DataError: It does not. The message names the first setting that differs.
    """
    if not isinstance(found, dict) or not all(isinstance(found.get(key), dict) for key in ("counts", "splits")):
        raise DataError(f"{directory / ABOUT} does not describe SynthPEDES; delete the folder to draw it again")
    pairs = [(key, found.get(key), asked[key]) for key in ("name", "version", "seed")]
    pairs += [(key, found["counts"].get(key), wanted) for key, wanted in asked["counts"].items()]
    # A finished data set may hold more splits than are asked for.
    held = (directory / ANNOTATION).exists() and found["splits"].keys() >= asked["splits"].keys()
    pairs.append(("splits", ",".join(found["splits"]), ",".join(found["splits"] if held else asked["splits"])))
    for key, here, wanted in pairs:
        if here != wanted:
            raise DataError(
                f"{directory} holds SynthPEDES with {key} {here} instead of {wanted}; nothing was written: "
                "name another folder, or delete this one to draw it again"
            )


def is_complete(directory: Path, found: dict[str, Any]) -> bool:
    """Return whether every picture is there, and the annotation file, which is written last.

    Raises:
        DataError: The annotation file is not the one that belongs to the data set.
    """
    annotation = directory / ANNOTATION
    if not annotation.exists():
        return False
    check_annotation(annotation, _sha256(annotation), found)
    pictures = found["counts"]["pictures"]
    return all(
        {
            Path(file_path(split, index, picture)).name
            for index in range(part["identities"])
            for picture in range(pictures)
        }
        <= picture_names(directory, split)
        for split, part in found["splits"].items()
    )


def _sha256(annotation: Path) -> str:
    try:
        return file_sha256(annotation, ANNOTATION_LIMIT)
    except OSError as error:
        raise DataError(f"{annotation} cannot be read ({error}); delete the folder to draw it again") from error


def check_annotation(annotation: Path, digest: str, found: dict[str, Any]) -> None:
    """Check that an annotation file is the one that the folder was drawn with.

    Args:
        annotation: The file, for the message.
        digest: Its SHA-256, in hexadecimal.
        found: What `synthpedes.json` beside it says.

    Raises:
        DataError: It is another one.
    """
    if digest != found.get("sha256"):
        raise DataError(
            f"{annotation} is not the one that {ABOUT} beside it describes (sha256 {digest[:12]}...); "
            "delete the folder to draw it again"
        )


def picture_names(directory: Path, split: str) -> set[str]:
    """List the pictures of a split that are there and not empty."""
    folder = directory / "imgs" / split
    return {entry.name for entry in os.scandir(folder) if entry.stat().st_size} if folder.is_dir() else set()


def undrawn(directory: Path, people: dict[str, list[Identity]], pictures: int, seed: int) -> Iterator[Sitting]:
    """Yield the identities whose pictures are not all there.

    Args:
        directory: The folder of the data set.
        people: The identities of each split.
        pictures: Number of pictures of each identity.
        seed: Seed of the data set.
    """
    for split in SPLITS:
        there = picture_names(directory, split)
        for index, identity in enumerate(people.get(split, ())):
            paths = [file_path(split, index, picture) for picture in range(pictures)]
            if any(Path(path).name not in there for path in paths):
                yield Sitting(identity, split, index, seed, tuple(str(directory / "imgs" / path) for path in paths))
