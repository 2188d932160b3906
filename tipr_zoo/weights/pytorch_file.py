"""PyTorch's files: what they say they hold, and the tensors of it that are wanted. Nothing in them is run."""

from __future__ import annotations

import io
import math
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from tipr_zoo.outside.files import WEIGHTS_LIMIT, opened
from tipr_zoo.weights.closed_unpickler import ScriptModule, StorageRecord, TensorRecord, read_pickle

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""With what files begin that PyTorch wrote before version 1.6."""

_LARGEST_DESCRIPTION = 32 << 20
"""Bytes of the pickle that describes the tensors; that of a CLIP with its optimiser has less than one million."""

_LARGEST_NOTE = 64 << 10
"""Bytes of each of the pickles with which an older file begins; they say that it is one, and of what machine."""

_MOST_PARTS = 1_000_000
"""Storages of a file."""

_DEEPEST = 100
"""Levels of modules within modules in a TorchScript archive."""


_PACKED = "it was packed again, and PyTorch does not compress"


class ImpossibleFileError(Exception):
    """A file contradicts itself; the message says how."""


@dataclass(frozen=True)
class PyTorchFile:
    """A file of PyTorch that was looked at.

    Attributes:
        path: The file.
        content: What it holds, with a `TensorRecord` for each tensor. The modules of a TorchScript archive are laid out
            as one dict of tensors by dotted name.
        is_script: Whether it is a TorchScript archive, which holds a program beside the tensors.
        places: First byte and number of bytes of each storage, by key.
        size: The file's bytes.
    """

    path: Path
    content: Any
    is_script: bool
    places: Mapping[str, tuple[int, int]]
    size: int

    def tensors(self, wanted: Mapping[str, TensorRecord]) -> dict[str, Tensor]:
        """Read tensors by name. Those that share a storage share it here, too.

        Raises:
            OSError: The file cannot be read.
            Exception: An `ImpossibleFileError` where a tensor goes beyond its storage, or all together are larger than
                such a file can hold.
        """
        for name, record in wanted.items():
            self._check(name, record)
        claimed = sum(math.prod(record.shape) * record.dtype.itemsize for record in wanted.values())
        held = self.size
        stored = sum({record.storage.key: record.storage.size for record in wanted.values()}.values())
        if claimed > 2 * held or stored > held:  # twice: a matrix may be shared by two layers
            claimed = max(claimed, stored)
            raise ImpossibleFileError(f"its tensors would take {claimed:,} bytes, and it has {held:,}")
        read: dict[str, Tensor] = {}
        with opened(self.path, WEIGHTS_LIMIT) as file:
            for record in wanted.values():
                if record.storage.key not in read:
                    read[record.storage.key] = self._storage(file, record.storage)
        return {name: _made(record, read[record.storage.key]) for name, record in wanted.items()}

    def _check(self, name: str, record: TensorRecord) -> None:
        """Check a tensor against its storage, before any memory is taken."""
        storage = record.storage
        if storage.key not in self.places:
            raise ImpossibleFileError(f"it has no numbers for {name}")
        if self.places[storage.key][1] != storage.size:
            raise ImpossibleFileError(f"it has {self.places[storage.key][1]:,} bytes for {name}, not {storage.size:,}")
        count = math.prod(record.shape)
        last = record.offset + sum((side - 1) * step for side, step in zip(record.shape, record.stride, strict=True))
        if count and (last + 1) * record.dtype.itemsize > storage.size:
            raise ImpossibleFileError(f"{name} goes beyond the numbers that are there")
        if count * record.dtype.itemsize > storage.size:
            raise ImpossibleFileError(
                f"{name} of shape {record.shape} has {count:,} places and only {storage.count:,} numbers"
            )

    def _storage(self, file: BinaryIO, storage: StorageRecord) -> Tensor:
        numbers = torch.empty(storage.size, dtype=torch.uint8)
        file.seek(self.places[storage.key][0])
        if storage.size and file.readinto(memoryview(numbers.numpy())) != storage.size:  # type: ignore[attr-defined,arg-type]
            raise ImpossibleFileError("it ends too early")
        return numbers


def look_into(path: Path) -> PyTorchFile:
    """Look at what a file of PyTorch holds. No tensor is read.

    Args:
        path: A file of ``torch.save``, of any version since 0.4, or of ``torch.jit.save``.

    Raises:
        Exception: Whatever a damaged file provokes. A `RefusedGlobalError` where it holds something beside tensors that
            only code could bring back, an `ImpossibleFileError` where it contradicts itself.
    """
    with opened(path, WEIGHTS_LIMIT) as file:
        if zipfile.is_zipfile(file):
            return _look_into_archive(path, file)
        file.seek(0)
        return _look_into_legacy(path, file)


def _look_into_archive(path: Path, file: BinaryIO) -> PyTorchFile:
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        described = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
        if not described:
            raise ImpossibleFileError("it is a zip archive without tensors")
        root = described[0].removesuffix("data.pkl")
        for name in (described[0], root + "byteorder"):
            if name in entries and entries[name].compress_type != zipfile.ZIP_STORED:
                raise ImpossibleFileError(_PACKED)
        if entries[described[0]].file_size > _LARGEST_DESCRIPTION:
            raise ImpossibleFileError("the description of its tensors is too long")
        if len(entries) > _MOST_PARTS:
            raise ImpossibleFileError(f"it has more than {_MOST_PARTS:,} parts")
        if root + "byteorder" in entries and archive.read(root + "byteorder") != b"little":
            raise ImpossibleFileError("its numbers have the byte order of another kind of machine")
        places = {}
        for name, entry in entries.items():
            if name.startswith(root + "data/"):
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise ImpossibleFileError(_PACKED)
                places[name.removeprefix(root + "data/")] = (_first_byte(file, entry), entry.file_size)
        content = read_pickle(archive.read(described[0]))
        is_script = isinstance(content, ScriptModule) or root + "constants.pkl" in entries
    if isinstance(content, ScriptModule):
        content = _laid_out(content)
    return PyTorchFile(path, content, is_script, places, file.seek(0, os.SEEK_END))


def _first_byte(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Return where the content of an archive's entry begins: behind its name and extra field."""
    file.seek(entry.header_offset)
    header = file.read(30)
    if len(header) != 30 or not header.startswith(b"PK\3\4"):
        raise ImpossibleFileError("an entry of it begins elsewhere")
    name_length, extra_length = struct.unpack("<HH", header[26:])
    return entry.header_offset + 30 + int(name_length) + int(extra_length)


def _laid_out(module: ScriptModule) -> dict[str, Any]:
    """Return the tensors of a module and of the modules in it, by dotted name."""
    found: dict[str, Any] = {}
    waiting = [("", module, 0)]
    while waiting:
        prefix, current, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ImpossibleFileError(f"its modules are more than {_DEEPEST} deep")
        for name, value in current.attributes.items():
            if isinstance(value, ScriptModule):
                waiting.append((f"{prefix}{name}.", value, depth + 1))
            elif isinstance(value, TensorRecord):
                found[f"{prefix}{name}"] = value
    return found


def _look_into_legacy(path: Path, file: BinaryIO) -> PyTorchFile:
    """Look at a file that begins with three pickles about itself and ends with one number block a storage."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if _read_next(file, _LARGEST_NOTE) != _LEGACY_MAGIC:
        raise pickle.UnpicklingError("it is no file of PyTorch")
    _read_next(file, _LARGEST_NOTE), _read_next(file, _LARGEST_NOTE)
    storages: dict[str, StorageRecord] = {}
    content = _read_next(file, _LARGEST_DESCRIPTION, storages)
    keys = _read_next(file, _LARGEST_DESCRIPTION)
    places = {}
    for key in map(str, keys):
        (count,) = struct.unpack("<q", file.read(8))
        if key not in storages:
            raise ImpossibleFileError("it has numbers of no tensor")
        length = count * storages[key].dtype.itemsize
        places[key] = (file.tell(), length)
        if not 0 <= length <= size - file.tell():
            raise ImpossibleFileError("it ends too early")
        file.seek(length, 1)
    return PyTorchFile(path, content, False, places, size)


def _read_next(file: BinaryIO, limit: int, storages: dict[str, StorageRecord] | None = None) -> Any:
    """Read the pickle at the place where a file is, of at most so many bytes, and go behind it."""
    start = file.tell()
    piece = io.BytesIO(file.read(limit))
    content = read_pickle(piece, storages)
    file.seek(start + piece.tell())
    return content


def _made(record: TensorRecord, numbers: Tensor) -> Tensor:
    size = record.dtype.itemsize
    whole = numbers[: len(numbers) // size * size].view(record.dtype)
    return whole.as_strided(record.shape, record.stride, record.offset)
