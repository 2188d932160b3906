"""Which measurements are of the same data, and which of them disagree. Hashes tell, since names and counts do not."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

from tipr_zoo.cards.record import METRICS, Record


def data_identity(record: Record) -> tuple[str | None, ...]:
    """Return the hashes of what was measured on: of the annotations and of the pictures, None where one is not known.

    A data set that was drawn has its seed for the annotations, and their hash where they were changed. The file's hash
    tells less: drawing other splits with a split gives another file.
    """
    is_drawn = "seed" in record.dataset_arguments
    return None if is_drawn else record.dataset_sha256, record.pictures_sha256


def measured_thing(record: Record) -> tuple[str | None, ...]:
    """Return what two evaluation records share if they measure the same weights on the same data in the same way."""
    mappings = [json.dumps(values, sort_keys=True) for values in (record.dataset_arguments, record.overrides)]
    counts = [str(count) for count in (record.queries, record.gallery, record.identities)]
    words = (record.model, record.weights_sha256, record.dataset, record.split, record.direction, record.part)
    ranking = (str(record.rerank), record.rerank_rest, json.dumps(record.postprocess))
    return *words, *ranking, *mappings, *counts, *data_identity(record)


def disputed_metrics(records: Iterable[Record]) -> dict[tuple[str | None, ...], tuple[str, ...]]:
    """Return the metrics, by `measured_thing`, of which two records of the same thing have different figures."""
    figures: defaultdict[tuple[str | None, ...], list[Record]] = defaultdict(list)
    for record in records:
        figures[measured_thing(record)].append(record)
    return {
        thing: disputed
        for thing, same in figures.items()
        if (disputed := tuple(m for m in METRICS if len({round(record.metrics[m], 2) for record in same}) > 1))
    }


class KnownData:
    """The data that the records of cards were measured on; without such a record, those of all records.

    Args:
        of_cards: The records that cards name.
        further: Other records.
    """

    def __init__(self, of_cards: Iterable[Record], further: Iterable[Record]) -> None:
        self._known: dict[str, set[tuple[str | None, ...]]] = {}
        for records in (of_cards, further):
            found: defaultdict[str, set[tuple[str | None, ...]]] = defaultdict(set)
            for record in records:
                found[_name(record)].add(data_identity(record))
            self._known = {**found, **self._known}

    def is_other(self, record: Record) -> bool:
        """Tell whether a record is of other data than a card's record of this name, or where records disagree on it."""
        return any(_differ(data_identity(record), known) for known in self._known.get(_name(record), ()))


def _name(record: Record) -> str:
    return json.dumps([record.dataset, record.split, record.dataset_arguments], sort_keys=True)


def _differ(first: tuple[str | None, ...], second: tuple[str | None, ...]) -> bool:
    """Tell whether two identities differ in a hash that both have."""
    return any(a is not None and b is not None and a != b for a, b in zip(first, second, strict=True))
