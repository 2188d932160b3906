"""Checking cards: their fields, the files that they name, and what the Hugging Face Hub asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tipr_zoo.authoring.card_problems import CardProblem, card_problems
from tipr_zoo.authoring.hub_licences import HUB_LICENCES
from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.front_matter import read_front_matter
from tipr_zoo.cards.hub_reference import is_hub_reference, parse_hub_reference
from tipr_zoo.cards.index import card_folders
from tipr_zoo.cards.lines import card_text, front_matter_text
from tipr_zoo.cards.weights_check import check_file
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, TiprZooError
from tipr_zoo.plugins.discovery import find_plugin
from tipr_zoo.schemas.problems import FieldProblem, Problems

SECTIONS = {
    "## Use": "the command lines that somebody can try",
    "## Care": "what it must not be used for, and what is not known of its errors",
}
"""The sections in the text of every card, and what each of them says."""

TO_BE_WRITTEN = "still says TODO; write what is meant there, or take it out"

_HUB_DATASET = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*", re.ASCII)


def installed_card_files() -> list[Path]:
    """Return the files of all cards, the core's first. No plugin is imported."""
    folders = list(card_folders())
    return [path for folder in folders for path in sorted(folder.glob("*.md"))]


def card_files(places: Iterable[Path]) -> list[Path]:
    """Return the cards in files and folders.

    Args:
        places: Markdown files, or folders. Every Markdown file in such a folder is a card.

    Raises:
        ConfigError: A place does not exist, or a folder has no card.
    """
    files: list[Path] = []
    for place in places:
        found = sorted(place.glob("*.md")) if place.is_dir() else [place]
        if not place.exists():
            raise ConfigError(f"{place} does not exist; name a card (.md) or a folder of cards")
        if not found:
            raise ConfigError(f"{place} has no cards (*.md); name a card or a folder of cards")
        files += found
    return files


def check_card(path: Path, is_draft: bool = False) -> list[CardProblem]:
    """Check one card.

    The card must be readable. Besides, the following must hold:

    - Its recipe exists.
    - A weights file beside it has the stated size and hash. Weights elsewhere are not fetched.
    - Its figures were measured with these weights.
    - Its text has the `SECTIONS`.
    - No line says ``TODO``, unless it is a draft.
    - huggingface_hub reads the same figures from it.

    Args:
        path: The Markdown file.
        is_draft: Whether the card may still say ``TODO``.

    Returns:
        The problems by line. A right card has none.
    """
    problems = card_problems(path, _findings)
    text = card_text(path)
    if front_matter_text(text):
        problems += [CardProblem(path, line, "", message) for line, message in _text_problems(text)]
    told = {problem.line for problem in problems}
    problems += (
        []
        if is_draft
        else [CardProblem(path, line, "", TO_BE_WRITTEN) for line in _todo_lines(text) if line not in told]
    )
    return sorted(problems, key=lambda problem: problem.line)


def todo_lines(path: Path) -> list[int]:
    """Return the lines of a card that still say ``TODO``, counted from 1."""
    return _todo_lines(card_text(path))


def _todo_lines(text: str) -> list[int]:
    lines = text.splitlines()
    return [number for number, line in enumerate(lines, start=1) if "TODO" in line]


def _findings(card: ModelCard, problems: Problems) -> Iterator[FieldProblem]:
    """Yield further problems of those fields of a card that were read without a problem."""
    yield from _recipe_problems(card)
    yield from _weights_problems(card)
    yield from _hub_problems(card, is_right=not problems)


def _recipe_problems(card: ModelCard) -> Iterator[FieldProblem]:
    from tipr_zoo.models.recipe import recipe_path  # not at the top: `cards new` and `push --help` need no mmengine

    config = PurePosixPath(card.config)
    is_outside = config.is_absolute() or ".." in config.parts
    if is_outside:
        yield FieldProblem(
            "tipr_zoo", "config", f"'config' must be a path inside the folder of recipes, got {card.config!r}"
        )
    try:
        if card.plugin is not None:
            find_plugin(card.plugin)
    except TiprZooError as error:
        yield FieldProblem("tipr_zoo", "plugin", str(error))
        return
    try:
        if not is_outside:
            recipe_path(card)
    except ConfigError as error:
        yield FieldProblem("tipr_zoo", "config", str(error).removeprefix(f"{card.path}: "))


def _weights_problems(card: ModelCard) -> Iterator[FieldProblem]:
    weights = card.weights
    if weights is None:
        if not card.weights_note:
            yield FieldProblem(
                "tipr_zoo", "weights", "a card without weights says in 'weights_note' why, or where they can be had"
            )
        return
    place = "tipr_zoo.weights"
    if is_hub_reference(weights.location):
        if not parse_hub_reference(weights.location).is_pinned:
            yield FieldProblem(
                place, "url", f"{weights.location} may change; name the commit: hub:owner/name@COMMIT:FILE"
            )
    elif not weights.is_remote:
        file = card.path.parent / weights.location
        if not file.is_file():
            yield FieldProblem(place, "file", f"{file} does not exist; put the weights there, or write 'weights: null'")
        else:
            try:
                check_file(file, weights, advice="write what the file has, or put the right file there")
            except TiprZooError as error:
                yield FieldProblem(place, "size" if "bytes" in str(error) else "sha256", str(error))
    others = {result.source_url for result in card.results if _is_of_other_weights(result.record, weights.sha256)}
    for url in sorted(filter(None, others)):
        yield FieldProblem(
            place, "sha256", f"record {url} was measured with other weights; name its weights, or measure these"
        )


def _is_of_other_weights(record: object, sha256: str) -> bool:
    return record is not None and getattr(record, "weights_sha256", sha256) != sha256


def _hub_problems(card: ModelCard, is_right: bool) -> Iterator[FieldProblem]:
    """Yield what the Hub would refuse or misunderstand.

    Args:
        card: The card.
        is_right: Whether the card was read without a problem. Otherwise only its figures are tried.
    """
    if card.license not in HUB_LICENCES:
        known = unknown_name("licence of the Hub", card.license, HUB_LICENCES, "'other' is one, too")
        yield FieldProblem("", "license", str(known))
    for name in card.datasets:
        if not _HUB_DATASET.fullmatch(name):
            yield FieldProblem(
                "", "datasets", f"{name!r} cannot name a data set on the Hub: use letters, digits, - _ . and one /"
            )
    if len(set(card.tags)) != len(card.tags):
        yield FieldProblem("", "tags", "a tag is given twice; the Hub shows it once")
    try:
        differing = _figures_of_the_hub(card.path, is_right) ^ _figures(card)
    except Exception as error:  # a field that huggingface_hub does not expect can raise anything
        yield FieldProblem("", "model-index", f"huggingface_hub cannot read the card: {type(error).__name__}: {error}")
        return
    for dataset, split, _, metric, value, _ in sorted(differing, key=str)[:1]:
        yield FieldProblem(
            "",
            "model-index",
            f"huggingface_hub reads other figures than the zoo: {metric} {value} on {dataset} {split}",
        )


def _figures(card: ModelCard) -> set[tuple[object, ...]]:
    """Return the data set, split, arguments, metric, value and source of every figure."""
    return {
        (result.dataset, result.split, str(result.dataset_arguments), metric, value, result.source_url)
        for result in card.results
        for metric, value in result.metrics.items()
    }


def _figures_of_the_hub(path: Path, is_right: bool) -> set[tuple[object, ...]]:
    """Return the same as `_figures`, read by the Hub's own library."""
    from huggingface_hub import ModelCard as HubModelCard  # not at the top: slow to import, and only asked last
    from huggingface_hub import ModelCardData

    if is_right:
        data = HubModelCard.load(path).data
    else:
        figures: dict[str, Any] = {"model-index": read_front_matter(path).get("model-index")}
        data = ModelCardData(**figures)
    return {
        (
            result.dataset_name,
            result.dataset_split,
            str(result.dataset_args or {}),
            result.metric_type,
            float(result.metric_value),
            result.source_url,
        )
        for result in data.eval_results or []
    }


def _text_problems(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the message of everything that the Markdown text lacks."""
    first = front_matter_text(text).count("\n") + 3  # the line of the second ---
    lines = text.replace("\r\n", "\n").splitlines()[first:]
    headings = {line.rstrip() for line in _outside_code(lines) if line.startswith("#")}
    if not any(line.startswith("# ") for line in headings):
        yield first + 1, "the text has no title; begin it with a line '# What it is'"
    for section, content in SECTIONS.items():
        if section not in headings:
            yield first + 1, f"the text has no section '{section}'; add one with {content}"


def _outside_code(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines outside of code blocks. Inside, ``# ...`` is a comment and no heading."""
    fence = ""
    for line in lines:
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~") and fence in ("", mark):
            fence = "" if fence else mark
        elif not fence:
            yield line
