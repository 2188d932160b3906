"""The reading of annotations, whether they are a table or a published data set's files."""

from __future__ import annotations

from tipr_zoo.datasets.annotation import Annotations
from tipr_zoo.datasets.picture_paths import on_this_machine
from tipr_zoo.datasets.reading.json_annotations import read_json_annotations
from tipr_zoo.datasets.source import Source
from tipr_zoo.datasets.tables.annotations import read_table_annotations


def read_annotations(source: Source) -> Annotations:
    """Read all splits of a data set, with the paths that its pictures have on this machine.

    Raises:
        DataError: A file cannot be read, is broken, or lacks something that every annotation needs.
    """
    read = read_table_annotations if source.specification.is_table else read_json_annotations
    return on_this_machine(source, read(source))
