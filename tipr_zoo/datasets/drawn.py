"""What is written down beside a data set that was drawn: its seed, its sizes, and the hash of its annotations."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import DataError
from tipr_zoo.outside.files import ANNOTATION_LIMIT, NOTE_LIMIT, read_text
from tipr_zoo.outside.parsing import parse_json

DESCRIPTION = "synthpedes.json"


def drawn_file(dataset: PersonDataset) -> Path | None:
    """Return the file that describes a drawn data set. None where it was not drawn."""
    file = dataset.annotation_file.parent / DESCRIPTION
    return file if file.is_file() and not dataset.specification.is_table else None


def read_drawn(file: Path) -> dict[str, Any]:
    """Read the file that describes a drawn data set.

    Raises:
        DataError: It is broken.
    """
    try:
        about = parse_json(read_text(file, NOTE_LIMIT))
        {"seed": int(about["seed"]), "counts": dict(about["counts"])}
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise DataError(f"{file}: is broken ({type(error).__name__}: {error}); draw the data set anew") from error
    return dict(about)


def is_as_drawn(dataset: PersonDataset, about: dict[str, Any]) -> bool:
    """Tell whether annotations are those that were drawn, by their hash.

    A file that was only laid out anew, with other blanks between the same entries, still has them.

    Args:
        dataset: A drawn data set.
        about: What `read_drawn` gives.
    """
    drawn = about.get("sha256")
    if drawn == dataset.sha256:
        return True
    try:
        entries = parse_json(read_text(dataset.annotation_file, ANNOTATION_LIMIT))
        as_drawn = "[\n" + ",\n".join(map(json.dumps, entries)) + "\n]\n"
    except (OSError, ValueError, TypeError, RecursionError):
        return False
    return bool(drawn == hashlib.sha256(as_drawn.encode()).hexdigest())
