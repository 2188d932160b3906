"""Writing the card of a new model from its weights and its evaluation records. Hints mark what only a person knows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tipr_zoo.authoring.card_check import check_card
from tipr_zoo.authoring.card_text import RECORDS_FOLDER, WEIGHTS_FOLDER, card_lines, lies_in
from tipr_zoo.authoring.new_model import NewModel
from tipr_zoo.cards.card import MODEL_NAME, ModelCard
from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.record import TEXT_TO_IMAGE, Record, read_record, write_record
from tipr_zoo.cards.record_files import queries_file, record_file_name
from tipr_zoo.errors import ConfigError, RecordError
from tipr_zoo.machine.result_place import check_folder, make_folder
from tipr_zoo.machine.whole_file import whole_file, write_whole
from tipr_zoo.models.lookup import load_card
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.terminal.log import logger
from tipr_zoo.terminal.published_paths import without_folders
from tipr_zoo.terminal.suggested_command import quoted


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
    records = [_published(read_record(path), path) for path in model.records]
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
        write_whole(path, ("\n".join(card_lines(model, base, records, folder)) + "\n").encode())
        if problems := check_card(path, is_draft=True):
            raise ConfigError(f"the card would be wrong: {problems[0].message}")
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    return written


def _published(record: Record, file: Path) -> Record:
    """Return the record without folders of the machine that measured, which older records name.

    What was found of its queries comes along. Where that is lost, it is told, and the record names it no more.
    """
    kept, queries = record.queries_sha256, queries_file(file)
    if kept is not None and not (queries.is_file() and file_sha256(queries) == kept):
        logger.warning("%s is missing or another one than %s names: the card's record is without it", queries, file)
        kept = None
    return replace(record, command=without_folders(record.command), queries_sha256=kept)


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
    if record.postprocess is not None:
        steps = ", ".join(record.postprocess)
        raise ConfigError(
            f"a card's figures are the model's own; leave out the record that is post-processed by {steps}"
        )
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
    if model.weights is not None and not lies_in(model.weights, folder):
        files.append((folder / WEIGHTS_FOLDER / f"{model.name}.safetensors", model.weights))
    for record, source in zip(records, model.records, strict=True):
        named = replace(record, model=model.name)
        file = folder / RECORDS_FOLDER / record_file_name(named)
        files.append((file, named))
        if record.queries_sha256 is not None:
            files.append((queries_file(file), queries_file(source)))
    return files


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
