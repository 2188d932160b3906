"""Hashes of files that were read once: kept by name, size and times, so that nothing is read twice for its hash."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.machine.checked_file import read_checked, write_checked
from tipr_zoo.outside.files import RefusedFileError, file_sha256
from tipr_zoo.outside.parsing import parse_json

SETTLED_AFTER = 2.0
"""Seconds since the last change of a file after which its hash is kept.

A change within the same tick of the file system's clock would leave its times as they are. A file from the future, as
where the clock was set back, is not kept either.
"""


def kept_hashes(files: Sequence[Path], kept_as: str) -> list[str]:
    """Return the SHA-256 of each file, in hexadecimal. An empty text where a file is missing,
    or is none that is read.

    A file whose size and times are those of the last time is not read again, but for one that has just changed. A file
    of the cache that is damaged or cannot be written costs only time.

    Args:
        files: The files.
        kept_as: What their hashes are kept under, e.g. the folder that they lie in.
    """
    place = cache_folder() / "hashes" / f"{hashlib.sha256(kept_as.encode(errors='surrogateescape')).hexdigest()}.json"
    known = _read(place)
    states = [_state(file) for file in files]
    names = [f"{file} {_described(state)}" for file, state in zip(files, states, strict=True)]
    missing = [
        (name, file) for name, file, state in zip(names, files, states, strict=True) if state and name not in known
    ]
    with ThreadPoolExecutor(8) as pool:
        digests = pool.map(_digest, (file for _, file in missing))
        found = {name: digest for (name, _), digest in zip(missing, digests, strict=True) if digest}
    hashes = {name: known.get(name) or found.get(name, "") for name in names}
    settled = time.time() - SETTLED_AFTER
    kept = {
        name: hashes[name]
        for name, state in zip(names, states, strict=True)
        if hashes[name] and (name in known or (state is not None and max(state.st_mtime, state.st_ctime) <= settled))
    }
    if kept.keys() - known.keys():
        _write(place, kept)
    return [hashes[name] for name in names]


def _state(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _described(state: os.stat_result | None) -> str:
    """Return size and times of a file as a text; an empty one where there is no file."""
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}" if state else ""


def _digest(file: Path) -> str:
    """Return the hash of a file; an empty text where it is none that is read, e.g. a pipe."""
    try:
        return file_sha256(file)
    except RefusedFileError:
        return ""


def _read(place: Path) -> dict[str, str]:
    """Return the hashes of a file of the cache; none where it was damaged."""
    try:
        return dict(parse_json(read_checked(place) or "{}"))
    except (OSError, ValueError, TypeError):
        return {}


def _write(place: Path, hashes: dict[str, str]) -> None:
    with suppress(OSError):
        write_checked(place, json.dumps(hashes))
