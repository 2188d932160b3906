"""The text of a new model's card. Hints mark what only a person knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tipr_zoo.authoring.card_stub import TAGS, flow_list, weights_fields, yaml_lines
from tipr_zoo.authoring.new_model import NewModel
from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.record import METRICS, Record
from tipr_zoo.cards.record_files import record_file_name
from tipr_zoo.cards.schema import TASK
from tipr_zoo.terminal.suggested_command import quoted

WEIGHTS_FOLDER, RECORDS_FOLDER = "weights", "records"
"""Folders beside the card."""


_SELECTED = {
    "val": "the epoch was chosen on the validation split",
    "test": "the epoch was chosen on the test split",
    "none": "the last epoch was taken",
    None: "nothing says which split the epoch was chosen on",
}


def lies_in(file: Path, folder: Path) -> bool:
    """Tell whether a file lies in a folder or below it."""
    return file.resolve().is_relative_to(folder.resolve())


def card_lines(model: NewModel, base: ModelCard | None, records: Sequence[Record], folder: Path) -> Iterator[str]:
    """Yield the lines of the card's text.

    Args:
        model: What is known of the model.
        base: The card of another model with the same recipe, where the records name one.
        records: Its evaluation records.
        folder: Where the card will lie.
    """
    yield "---"
    todo = "  # TODO: an identifier of https://hf.co/docs/hub/repositories-licenses" if model.license == "other" else ""
    yield from (line + todo for line in yaml_lines({"license": model.license}))
    yield from yaml_lines({"language": "en", "library_name": "tipr-zoo"})
    todo = "" if model.datasets else "  # TODO: what it was trained on"
    yield f"datasets: {flow_list(model.datasets)}{todo}"
    yield from yaml_lines({"tags": TAGS}, compact=True)
    if records:
        results = [_result(record, model.name) for record in records]
        yield from yaml_lines({"model-index": [{"name": model.name, "results": results}]}, compact=True)
    yield "tipr_zoo:"
    yield from yaml_lines({"plugin": model.plugin, "config": model.config}, indent=2)
    yield from _method_lines(model, base)
    yield from _weights_lines(model, folder)
    yield "  # TODO: paper and code, each with title and url, where there are any"
    yield from yaml_lines({"protocol": _protocol(records)}, indent=2)
    yield "---"
    yield from _text_lines(model, records)


def _result(record: Record, name: str) -> dict[str, Any]:
    """Return the entry of the model index for one evaluation record."""
    dataset: dict[str, Any] = {"type": record.dataset.lower(), "name": record.dataset, "split": record.split}
    if record.dataset_arguments:
        # huggingface_hub joins results of the same data set, config and split, even where their arguments differ.
        dataset["config"] = "-".join(f"{key}-{value}" for key, value in record.dataset_arguments.items())
        dataset["args"] = record.dataset_arguments
    file = f"{RECORDS_FOLDER}/{record_file_name(replace(record, model=name))}"
    return {
        "task": {"type": TASK, "name": "Text-to-image person retrieval"},
        "dataset": dataset,
        "metrics": [{"type": metric, "value": round(record.metrics[metric], 2)} for metric in METRICS],
        "source": {"name": record.command, "url": file},
    }


def _method_lines(model: NewModel, base: ModelCard | None) -> Iterator[str]:
    yield "  method:"
    known = {"name": base.method.name if base else model.name}
    if base is not None:
        facts = {key: getattr(base.method, key) for key in ("image_encoder", "text_encoder", "pretraining")}
        known |= {key: value for key, value in facts.items() if value is not None}
    yield from yaml_lines(known, indent=4)
    if missing := [key for key in ("image_encoder", "text_encoder", "pretraining") if key not in known]:
        yield f"    # TODO: {', '.join(missing)} (person data beside the training split, or none)"


def _weights_lines(model: NewModel, folder: Path) -> Iterator[str]:
    if model.weights is None:
        note = f"None yet; train it with `tipr-zoo train {quoted(model.name)}`."
        yield from yaml_lines({"weights": None, "weights_note": note}, indent=2)
        return
    lies_there = lies_in(model.weights, folder)
    inside = model.weights.resolve().relative_to(folder.resolve()).as_posix() if lies_there else None
    location = inside or f"{WEIGHTS_FOLDER}/{model.name}.safetensors"
    fields = {**weights_fields(model.weights, location), "license": model.license}
    yield from yaml_lines({"weights": fields}, indent=2)


def _protocol(records: Sequence[Record]) -> str:
    """Return how the figures were obtained, in the words of the evaluation records."""
    if not records:
        return "No figures yet."
    chosen = " and ".join(sorted({_SELECTED[record.selected_on] for record in records}))
    return f"Measured by tipr-zoo eval on the {records[0].split} split; of the weights, {chosen}."


def _text_lines(model: NewModel, records: Sequence[Record]) -> Iterator[str]:
    """Yield the lines of the Markdown below the front matter."""
    name, weights = quoted(model.name), "" if model.weights else " --weights FILE"
    yield f"\n# {model.name}\n"
    yield "<!-- TODO: one paragraph: what it is, what it was trained on, what goes in and what comes out. -->\n"
    yield "## What it computes\n"
    yield "<!-- TODO: its losses and heads, and where it differs from the paper that it follows. -->\n"
    yield "## Use\n"
    yield "```"
    yield f"tipr-zoo eval {name} --data DIR{weights}"
    yield f'tipr-zoo search {name} FOLDER "a man in a red jacket"{weights}'
    yield "```\n"
    if records:
        yield "## Figures\n"
        yield "Measured, each with the record that `tipr-zoo eval` wrote: caption to picture, in percent.\n"
    yield "## Care\n"
    yield "<!-- TODO: what is not known of its errors, and on whom they fall. -->"
    yield "Finding a person from a description can be used to follow people who never agreed to it. Do not use this"
    yield "model to watch, identify or single out people, and do not take a rank for an identification."
