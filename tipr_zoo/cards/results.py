"""The figures of a card (``model-index``) or a reference, each with the source that makes it what it is.

Which kind a figure is follows from its source. A source that lies beside the card is a record written by
``tipr-zoo eval``, and the figure is *measured*. A source on the web is a publication: the figure is *reproduced* where
``method.reproduced_in`` says that a training of its own is printed there, and otherwise *reported*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tipr_zoo.cards.fields import Fields
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.record import METRICS, TEXT_TO_IMAGE, Record, read_record
from tipr_zoo.errors import RecordError

TASK = "text-to-image-person-retrieval"

ORIGINS = ("reported", "reproduced", "measured")
"""Kinds of figures: printed in a publication; printed there by somebody who trained the method again; in a record."""

_ROUNDING = 0.005 + 1e-9  # a figure of two digits; 80.125 and 80.12 are further apart than 0.005 in binary


@dataclass(frozen=True)
class Result:
    """Figures of one model on one split of one data set, from one source.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set, e.g. ``"CUHK-PEDES"``.
        split: The split, e.g. ``"test"``.
        dataset_arguments: What else identifies the data, e.g. ``{"seed": 0}`` of SynthPEDES.
        metrics: Figures in percent by metric, in the order of `METRICS`.
        source_name: Who says so: a paper's table, a README, or the command that measured it.
        source_url: Where: a web address, or the path of a record beside the card; empty where a reference does not
            know the address.
        origin: One of `ORIGINS`.
        record: The record of a measured result, None for any other.
        selected_on: What the epoch was chosen on: as the record says, or for reported figures the card; None where
            that is not known, as of whatever somebody else trained.
    """

    model: str
    dataset: str
    split: str
    dataset_arguments: dict[str, Any]
    metrics: dict[str, float]
    source_name: str
    source_url: str
    origin: str
    record: Record | None = None
    selected_on: str | None = None


def read_results(fields: Fields, model: str, method: MethodFacts) -> tuple[Result, ...]:
    """Read ``model-index`` of a card.

    Args:
        fields: The card's front matter.
        model: Name of the model; the index may speak of no other.
        method: The card's ``method:`` block.

    Raises:
        CardError: An entry is malformed, has an unknown field or metric, or has no source.
    """
    if fields.values.get("model-index") is None:
        return ()
    results: list[Result] = []
    for entry in fields.blocks("model-index"):
        entry.allow({"name", "results"})
        if entry.text("name") != model:
            raise entry.error(f"'name' must be the card's name {model!r}, got {entry.text('name')!r}")
        results += [_read_result(block, model, method) for block in entry.blocks("results")]
    _check_reproductions(fields, method, results)
    return tuple(results)


def read_published_results(fields: Fields, model: str, method: MethodFacts) -> tuple[Result, ...]:
    """Read ``results`` of a reference: as in a card, but none is measured, and a source may lack its address.

    Args:
        fields: The reference.
        model: What its rows are called.
        method: Its ``method:`` block.

    Raises:
        CardError: An entry is malformed, or names a file as its source.
    """
    results = [_read_result(block, model, method, is_reference=True) for block in fields.blocks("results")]
    _check_reproductions(fields, method, results)
    return tuple(results)


def _check_reproductions(fields: Fields, method: MethodFacts, results: Iterable[Result]) -> None:
    """An address that no figure comes from is a mistake."""
    for url in set(method.reproduced_in) - {result.source_url for result in results}:
        raise fields.error(f"method.reproduced_in: no result has its source at {url}")


def _read_result(block: Fields, model: str, method: MethodFacts, is_reference: bool = False) -> Result:
    """One entry of ``results``."""
    block.allow({"task", "dataset", "metrics", "source"})
    task, dataset = block.block("task"), block.block("dataset")
    task.allow({"type", "name"})
    if task.text("type") != TASK:
        raise task.error(f"'type' must be {TASK}, got {task.text('type')!r}")
    dataset.allow({"type", "name", "split", "config", "revision", "args"})
    dataset.text("type")
    metrics = _read_metrics(block)
    if block.values.get("source") is None:
        raise block.error("a figure needs a 'source' with 'name' and 'url'; without one it cannot be shown")
    source = block.block("source")
    source.allow({"name", "url"})
    url = source.optional_text("url") or "" if is_reference else source.text("url")
    if "://" in url and not url.startswith(("https://", "http://")):
        raise source.error(f"'url' must be a web address or the path of a record beside the card, got {url!r}")
    origin = "measured" if url and "://" not in url else "reproduced" if url in method.reproduced_in else "reported"
    if origin == "measured" and is_reference:
        raise source.error("a reference has no code to measure with: 'url' must be a web address or null")
    arguments = _read_arguments(dataset)
    result = Result(
        model=model,
        dataset=dataset.text("name"),
        split=dataset.text("split"),
        dataset_arguments=arguments,
        metrics=metrics,
        source_name=source.text("name"),
        source_url=url,
        origin=origin,
        selected_on=method.selected_on if origin == "reported" else None,
    )
    if origin != "measured":
        return result
    record = _read_record(source, result)
    return replace(result, record=record, selected_on=record.selected_on)


def _read_arguments(dataset: Fields) -> dict[str, Any]:
    """What else identifies the data, as a record can hold it; nothing where the card says nothing."""
    block = dataset.optional_block("args")
    if block is None:
        return {}
    try:
        is_json = json.loads(json.dumps(block.values, allow_nan=False)) == block.values
    except (TypeError, ValueError):  # a date, or a number that is not finite
        is_json = False
    if not is_json:
        raise dataset.error(f"'args' must be numbers and texts by name, got {block.values!r}; put others into quotes")
    return dict(block.values)


def _read_metrics(block: Fields) -> dict[str, float]:
    """The ``metrics`` list of one result, in the order of `METRICS`."""
    metrics: dict[str, float] = {}
    for metric in block.blocks("metrics"):
        metric.allow({"type", "value", "name"})
        name, value = metric.text("type"), metric.number("value")
        if name not in METRICS:
            raise metric.error(f"'type' must be one of {', '.join(METRICS)}, got {name!r}")
        if name in metrics:
            raise metric.error(f"{name} is given twice")
        if not 0.0 <= value <= 100.0:
            raise metric.error(f"{name} is a percentage, got {value}")
        metrics[name] = value
    if not metrics:
        raise block.error("'metrics' is empty")
    return {name: metrics[name] for name in METRICS if name in metrics}


def _read_record(source: Fields, result: Result) -> Record:
    """The record that a measured result names as its source; the two must say the same."""
    try:
        record = read_record(source.path.parent / result.source_url)
    except RecordError as error:
        raise source.error(str(error)) from error
    if record.direction != TEXT_TO_IMAGE:
        raise source.error(f"record {result.source_url} is {record.direction}, a card's figures are {TEXT_TO_IMAGE}")
    for name in ("model", "dataset", "split", "dataset_arguments"):
        if (said := getattr(result, name)) != (measured := getattr(record, name)):
            raise source.error(f"{name} is {said!r} on the card and {measured!r} in its record {result.source_url}")
    for name, value in result.metrics.items():
        if abs(record.metrics[name] - value) > _ROUNDING:
            raise source.error(
                f"{name} is {value} on the card and {record.metrics[name]} in its record {result.source_url}"
            )
    return record
