"""Every engine keeps every promise; an engine that breaks one is told by it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tipr_zoo.testing import check_engine


def test_folder(tmp_path: Path) -> None:
    numbers = count()
    check_engine(lambda: str(tmp_path / f"gallery {next(numbers)}"))


def test_postgresql(postgresql_place: Callable[[], str]) -> None:
    check_engine(postgresql_place)


@pytest.mark.slow
def test_milvus(milvus_place: Callable[[], str]) -> None:
    check_engine(milvus_place)
