"""Rows that somebody else wrote into a gallery's tables: each is told in one line, and can be removed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines.folder import FolderEngine
from tipr_zoo.gallery.engines.milvus_fields import PIECE, PIECES, row_of
from tipr_zoo.gallery.header import read_header
from tipr_zoo.gallery.records import record_of
from tipr_zoo.protocols import Condition, Row
from tipr_zoo.testing.engine_rows import row_key, sample_rows, unit_vectors

DEEP = "[" * 100_000
TEXTS = {
    "deep": DEEP,
    "deep and closed": DEEP + "]" * 100_000,
    "deep fact": '{"a":' + DEEP,
    "none": "",
    "a list": "[1]",
}


@pytest.mark.parametrize(
    "text", [*TEXTS.values(), '{"camera": [1]}', '{"camera": NaN}', "nul"], ids=lambda text: text[:16]
)
def test_facts_of_a_folder(tmp_path: Path, text: str) -> None:
    engine = FolderEngine.create(str(tmp_path / "g"), "{}", 24)
    engine.add(sample_rows(20), unit_vectors(20))
    with sqlite3.connect(tmp_path / "g" / "gallery.sqlite") as tables:
        tables.execute("UPDATE rows SET facts=? WHERE key=?", (text, row_key(1)))
    with pytest.raises(GalleryError, match=f"the gallery's row {row_key(1)} is damaged; remove it") as raised:
        list(engine.rows())
    assert len(str(raised.value)) < 300
    assert engine.delete([row_key(1)]) == 1
    assert len(list(engine.rows())) == 19
    fact = next(iter(sample_rows(2)[1].facts))
    assert row_key(1) not in {key for key, _ in engine.search(unit_vectors(1), 20, [Condition(fact, "!=", "")])[0]}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_records_and_headers(text: str) -> None:
    with pytest.raises(GalleryError, match="is damaged; remove it"):
        record_of(Row("0" * 32, text, {}))
    with pytest.raises(GalleryError, match="is no gallery of tipr-zoo's"):
        read_header(text, "crops")


@pytest.mark.parametrize("text", [*TEXTS.values(), '{"camera": [1]}', '{"camera": NaN}'], ids=lambda text: text[:16])
def test_facts_of_milvus(text: str) -> None:
    fields = {"key": row_key(1), **dict.fromkeys(PIECES, "")}
    for number, field in enumerate(PIECES):
        fields[field] = text[number * PIECE : (number + 1) * PIECE]
    with pytest.raises(GalleryError, match=f"the gallery's row {row_key(1)} is damaged; remove it"):
        row_of(fields)
