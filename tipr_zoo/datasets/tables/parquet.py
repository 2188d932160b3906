"""The rows of a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tipr_zoo.errors import DataError

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
        with parquet.ParquetFile(file) as opened:
            schema = opened.schema_arrow
            inside = [name for name, kind in zip(schema.names, schema.types, strict=True) if "binary" in str(kind)]
            rows = [] if inside else opened.read().to_pylist()
    except Exception as error:  # on damaged bytes, pyarrow raises OSError, ValueError and errors of its own
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{file} is no Parquet file that can be read ({reason}); copy it again") from error
    if inside:
        raise DataError(
            f"{file} holds bytes in its column {inside[0]!r}, the pictures themselves; save each as a file, and write"
            " its path in a column 'image'"
        )
    return [{name: value if isinstance(value, _PLAIN) else str(value) for name, value in row.items()} for row in rows]
