"""The decoding of many pictures, which finds those that cannot be decoded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tipr_zoo.datasets.checks.findings import Finding
from tipr_zoo.errors import DataError
from tipr_zoo.machine.processes import available_cores, hidden_main, process_pool
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.terminal.progress_bar import ProgressBar

_CHUNK = 64
# To start processes takes as long as to decode some hundred pictures.
_WORTH_PROCESSES = 1000


def unreadable_pictures(pictures: Sequence[Path], progress: bool, workers: int | None = None) -> list[Finding]:
    """Decode pictures, many of them in several processes.

    Threads would not help: they decode small pictures no faster than one thread does.

    Args:
        pictures: Files that exist.
        progress: Show a progress bar on stderr, if stderr is a terminal.
        workers: Number of processes. None takes one for each core, if there are enough pictures.

    Returns:
        A finding for each picture that cannot be decoded, in the order of `pictures`.
    """
    if workers is None:
        workers = available_cores() if len(pictures) >= _WORTH_PROCESSES else 1
    chunks = [pictures[start : start + _CHUNK] for start in range(0, len(pictures), _CHUNK)]
    findings: list[Finding] = []
    with ProgressBar(total=len(pictures), desc="decoding", unit="picture", disable=None if progress else True) as bar:
        if workers <= 1:
            _collect(map(_unreadable, chunks), chunks, findings, bar)
            return findings
        with process_pool(workers) as pool:
            with hidden_main():
                futures = [pool.submit(_unreadable, chunk) for chunk in chunks]
            _collect((future.result() for future in futures), chunks, findings, bar)
    return findings


def _collect(
    results: Iterable[list[Finding]], chunks: Sequence[Sequence[Path]], findings: list[Finding], bar: ProgressBar
) -> None:
    for chunk, found in zip(chunks, results, strict=True):
        findings += found
        bar.update(len(chunk))


def _unreadable(pictures: Sequence[Path]) -> list[Finding]:
    findings = []
    for path in pictures:
        try:
            open_picture(path)
        except DataError as error:
            findings.append(Finding("unreadable picture", os.fspath(path), str(error)))
    return findings
