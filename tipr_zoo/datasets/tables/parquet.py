"""The rows of a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tipr_zoo.errors import DataError
from tipr_zoo.outside.files import ANNOTATION_LIMIT, RefusedFileError, opened

_MOST_ROWS = 50_000_000
_AT_ONCE = 1024
_PLAIN = (str, int, float, bool, list, dict, type(None))


def read_parquet(file: Path) -> list[dict[str, Any]]:
    """Read the rows of a Parquet file with pyarrow, which is an extra.

    Raises:
        DataError: pyarrow is not installed, the file is none of Parquet, or it holds the pictures themselves.
    """
    try:
        import pyarrow.parquet as parquet  # an extra; nothing else needs it
    except ImportError as error:
        raise DataError(f"{file} needs pyarrow; run: pip install 'tipr-zoo[parquet]'") from error
    try:
        with opened(file, ANNOTATION_LIMIT) as content, parquet.ParquetFile(content) as table:
            schema = table.schema_arrow
            inside = [name for name, kind in zip(schema.names, schema.types, strict=True) if "binary" in str(kind)]
            rows = [] if inside else _rows(table, file)
    except DataError:
        raise
    except RefusedFileError as error:
        raise DataError(f"cannot read {file}: {error}; check the path and its permissions") from error
    except Exception as error:  # on damaged bytes, pyarrow raises OSError, ValueError and errors of its own
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{file} is no Parquet file that can be read ({reason}); copy it again") from error
    if inside:
        raise DataError(
            f"{file} holds bytes in its column {inside[0]!r}, the pictures themselves; save each as a file, and write"
            " its path in a column 'image'"
        )
    return [{name: value if isinstance(value, _PLAIN) else str(value) for name, value in row.items()} for row in rows]


def _rows(table: Any, file: Path) -> list[dict[str, Any]]:
    """Unpack a table piece by piece: a small file may hold one long text a million times."""
    if table.metadata.num_rows > _MOST_ROWS:
        raise DataError(f"{file} has {table.metadata.num_rows:,} rows, and no such table may have more; split it")
    rows: list[dict[str, Any]] = []
    unpacked = 0
    for batch in table.iter_batches(batch_size=_AT_ONCE):
        unpacked += batch.nbytes
        if unpacked > ANNOTATION_LIMIT:
            raise DataError(f"{file} has more than {ANNOTATION_LIMIT:,} bytes once it is unpacked; split it")
        rows += batch.to_pylist()
    return rows
