"""Writing the card of a new model from its weights and its evaluation records. Hints mark what only a person knows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tipr_zoo.authoring.card_check import check_card
from tipr_zoo.authoring.card_stub import TAGS, flow_list, weights_fields, yaml_lines
from tipr_zoo.cards.card import MODEL_NAME, ModelCard
from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.record import METRICS, TEXT_TO_IMAGE, Record, read_record, record_file_name, write_record
from tipr_zoo.cards.schema import TASK
from tipr_zoo.errors import ConfigError, RecordError
from tipr_zoo.machine.result_place import check_folder, make_folder
from tipr_zoo.machine.whole_file import whole_file, write_whole
from tipr_zoo.models.lookup import load_card
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.terminal.published_paths import without_folders
from tipr_zoo.terminal.suggested_command import quoted

WEIGHTS_FOLDER, RECORDS_FOLDER = "weights", "records"
"""Folders beside the card."""


_SELECTED = {
    "val": "the epoch was chosen on the validation split",
    "test": "the epoch was chosen on the test split",
    "none": "the last epoch was taken",
    None: "nothing says which split the epoch was chosen on",
}


@dataclass(frozen=True)
class NewModel:
    """Facts about a model that has no card yet.

    Attributes:
        name: Its name.
        plugin: The plugin that brings its components. None where the core does.
        config: Its recipe, one of the plugin or of the core. None where `records` name a model with the same recipe.
        datasets: Names of the data sets that it was trained on.
        license: Identifier of the model's licence, as the Hub spells it.
        weights: Its weights, a safetensors file, or None.
        records: Evaluation records of ``tipr-zoo eval`` with these weights.
    """

    name: str
    plugin: str | None = None
    config: str | None = None
    datasets: tuple[str, ...] = ()
    license: str = "other"
    weights: Path | None = None
    records: tuple[Path, ...] = ()


def write_card(model: NewModel, folder: Path) -> list[Path]:
    """Write a card that passes `check_card`. Put its weights and its evaluation records beside it.

    A record may name another model of the zoo with the same recipe, as after ``tipr-zoo train OTHER``. The new model
    was measured, so the copy of the record gets the new name. Everything else in it stays.

    Args:
        model: The facts about the model.
        folder: The folder for the card.

    Returns:
        The files that were written: the card, then the files beside it.

    Raises:
        ConfigError: Something is missing, contradicts something else or exists already, or nothing can be written in
            `folder`. Nothing is written then.
        WriteError: A file cannot be written. Nothing is left then.
        RecordError: A file is no evaluation record.
        WeightsError: The weights cannot be read, or are not finite.
        UnknownNameError: There is no such plugin, or no model of the name in a record.
    """
    records = [_published(read_record(path)) for path in model.records]
    base = _base(model, records)
    model = _completed(model, records, base)
    contents = _files(model, records, folder)
    path = folder / f"{model.name}.md"
    _check_free(model.name, path, contents)
    check_folder(folder)
    written: list[Path] = []
    try:
        for target, content in contents:
            if target.exists():  # as `_check_free` has allowed
                continue
            make_folder(target.parent)
            written.append(target)
            if isinstance(content, Path):
                with whole_file(target) as part:
                    shutil.copyfile(content, part)
            else:
                write_record(content, target)
        make_folder(folder)
        written.insert(0, path)
        write_whole(path, ("\n".join(_lines(model, base, records, folder)) + "\n").encode())
        if problems := check_card(path, is_draft=True):
            raise ConfigError(f"the card would be wrong: {problems[0].message}")
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    return written


def _published(record: Record) -> Record:
    """Return the record without folders of the machine that measured, which older records name."""
    return replace(record, command=without_folders(record.command))


def _base(model: NewModel, records: Sequence[Record]) -> ModelCard | None:
    """Return the card of the model that the evaluation records name, if it is another model."""
    names = {record.model for record in records} - {model.name}
    if len(names) > 1:
        raise ConfigError(f"the records are of several models, {' and '.join(sorted(names))}; name those of one")
    return load_card(names.pop()) if names else None


def _completed(model: NewModel, records: Sequence[Record], base: ModelCard | None) -> NewModel:
    """Return the model with the facts from its weights and evaluation records. Raise where facts contradict."""
    if base is not None and model.config is None:
        model = replace(model, config=base.config, plugin=base.plugin)
    if model.config is None:
        raise ConfigError(
            "name the recipe with --config FILE (and its plugin with --plugin), or --record one of its own"
        )
    if base is not None and (base.config, base.plugin) != (model.config, model.plugin):
        raise ConfigError(
            f"the records are of {base.name}, whose recipe is {base.config} of {base.plugin or 'the core'}, not"
            f" {model.config} of {model.plugin or 'the core'}; measure {model.name} itself"
        )
    digests = {record.weights_sha256 for record in records}
    if records and model.weights is None:
        raise ConfigError("--record goes with --from-weights FILE, the weights that were measured")
    if model.weights is not None:
        if model.weights.suffix != ".safetensors" or not model.weights.is_file():
            raise ConfigError(f"--from-weights takes a safetensors file that exists, got {model.weights}")
        _check_weights(model.weights)
        digests |= {file_sha256(model.weights)}
        if len(digests) > 1:
            raise ConfigError(
                f"a record was measured with other weights than {model.weights}; name those of these weights"
            )
    for record in records:
        _check_record(record)
    return replace(model, datasets=model.datasets or _datasets(model))


def _check_weights(file: Path) -> None:
    """Check that a file holds weights of a model, and not those that a training starts from."""
    from tipr_zoo.weights.opening import open_weights  # not at the top: a card without weights needs no torch
    from tipr_zoo.weights.recognition import WeightsKind

    recognised = open_weights(file).recognised
    if recognised.kind not in (WeightsKind.ZOO, WeightsKind.OTHER):
        raise ConfigError(f"--from-weights takes weights of a model of tipr-zoo, and {file} is {recognised.words}")


def _check_record(record: Record) -> None:
    if record.direction != TEXT_TO_IMAGE:
        raise ConfigError(f"a card's figures are {TEXT_TO_IMAGE}; leave out the record that is {record.direction}")
    if record.part is not None:
        raise ConfigError(f"a card's figures are the whole model's; leave out the record of its part {record.part!r}")
    if record.overrides:
        raise ConfigError(
            f"a record was measured with changes to the recipe ({', '.join(record.overrides)});"
            " write them into a recipe of its own, and measure that"
        )


def _datasets(model: NewModel) -> tuple[str, ...]:
    """Return the data set that the weights name as their training data."""
    from tipr_zoo.weights.header import read_metadata  # not at the top: a card without weights needs no torch

    name = read_metadata(model.weights).get("dataset") if model.weights else None
    return (name,) if name else ()


def _files(model: NewModel, records: Sequence[Record], folder: Path) -> list[tuple[Path, Path | Record]]:
    """Return the files to write beside the card, and their sources. A file that lies there already is left out."""
    files: list[tuple[Path, Path | Record]] = []
    if model.weights is not None and not _lies_in(model.weights, folder):
        files.append((folder / WEIGHTS_FOLDER / f"{model.name}.safetensors", model.weights))
    for record in records:
        named = replace(record, model=model.name)
        files.append((folder / RECORDS_FOLDER / record_file_name(named), named))
    return files


def _lies_in(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


def _check_free(name: str, card: Path, contents: Sequence[tuple[Path, Path | Record]]) -> None:
    """Raise where a file would be overwritten or a name is taken.

    A file beside the card that has its content already may be there: a command that was killed has left it.
    """
    files = [file for file, _ in contents]
    if not MODEL_NAME.fullmatch(name):
        raise ConfigError(f"a model's name is made of letters, digits, - _ and ., 96 at most, got {name!r}")
    index = card_index()
    if name in index.cards or name in index.problems:
        raise ConfigError(f"there is a model {name!r} already (`tipr-zoo info {quoted(name)}`); choose another name")
    if len(set(files)) < len(files):
        raise ConfigError("two records are of the same weights on the same data; leave one out")
    taken = [file for file, content in contents if file.exists() and not _holds(file, content)]
    for file in [card, *taken] if card.exists() else taken:
        raise ConfigError(f"{file} exists; choose another name or --folder, or delete it")


def _holds(file: Path, content: Path | Record) -> bool:
    """Tell whether a file that is there is what would be written."""
    if isinstance(content, Path):
        return file.is_file() and file_sha256(file) == file_sha256(content)
    try:
        return read_record(file) == content
    except RecordError:
        return False


def _lines(model: NewModel, base: ModelCard | None, records: Sequence[Record], folder: Path) -> Iterator[str]:
    """Yield the lines of the card's text."""
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
    lies_there = _lies_in(model.weights, folder)
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
