"""Rows as other people may see them: without the folders of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from tipr_zoo.leaderboard.row import LeaderboardRow
from tipr_zoo.terminal.published_paths import without_folders


def published_rows(rows: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """Return the same rows. A measured one names its record and its weights without the folders above them."""
    return [
        row
        if row.date is None
        else replace(row, source=without_folders(row.source), source_url=_record_name(str(row.source_url)))
        for row in rows
    ]


def _record_name(path: str) -> str:
    """Return a path as it was named if it is relative and leads down, else the record with its folder alone."""
    place = PurePath(path)
    if place.is_absolute() or ".." in place.parts:
        place = PurePath(*place.parts[-2:])
    return place.as_posix()
