"""The reading of annotations, whether they are a table or a published data set's files."""

from __future__ import annotations

from tipr_zoo.datasets.annotation import Annotations
from tipr_zoo.datasets.reading.json_annotations import read_json_annotations
from tipr_zoo.datasets.source import Source
from tipr_zoo.datasets.tables.annotations import read_table_annotations


def read_annotations(source: Source) -> Annotations:
    """Read all splits of a data set.

    Raises:
        DataError: A file cannot be read, is broken, or lacks something that every annotation needs.
    """
    return read_table_annotations(source) if source.specification.is_table else read_json_annotations(source)
