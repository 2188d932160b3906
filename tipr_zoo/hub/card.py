"""Cards on the Hub, read like the zoo's own: ``tipr_zoo.build("hub:owner/name")``.

Nothing in a repository is executed. Its card names a plugin and a recipe. Both must be installed on this machine.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.cards.card import MODEL_NAME, ModelCard, read_card
from tipr_zoo.cards.front_matter import read_front_matter
from tipr_zoo.cards.hub_reference import CARD_FILE, HubReference, is_hub_reference, parse_hub_reference
from tipr_zoo.cards.lines import replace_values, source_urls
from tipr_zoo.errors import CardError, MissingHubFileError
from tipr_zoo.hub.download import fetch_hub_file
from tipr_zoo.machine.result_place import make_folder
from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.outside.files import CARD_LIMIT, read_bytes, read_text

RECORDS_FOLDER = "records"
"""The folder of a repository for the evaluation records of its measured figures."""

_RECORD_PAGE = re.compile(rf"https?://[^/\s]+/[^/\s]+/[^/\s]+/blob/[^/\s]+/(?P<file>{RECORDS_FOLDER}/[\w./-]+\.json)")


def pinned_model(name: str) -> str:
    """Return the name under which the same model is found again. For a model on the Hub, it has the commit.

    Args:
        name: ``hub:owner/name[@revision]``, or a name that ``tipr-zoo list`` shows. The latter stays as it is.

    Raises:
        HubError: The Hub cannot be reached, or has no such repository, revision or README.md.
    """
    if not is_hub_reference(name):
        return name
    return str(fetch_hub_file(parse_hub_reference(name).with_file(CARD_FILE))[1].with_file(None))


def load_hub_card(reference: HubReference) -> ModelCard:
    """Read the card of a repository, its ``README.md``.

    A pushed card names pages of the Hub as the sources of its measured figures. Such a page shows an evaluation record
    of the same repository. It is read as that record. Weights beside the card become a reference to the same commit.

    Args:
        reference: A repository, without a file.

    Raises:
        CardError: `reference` names a file. Or the README.md is no card of the zoo, or it names a file in a place
            that is not allowed.
        WriteError: The card cannot be written into the cache folder.
        HubError: The Hub cannot be reached, or has no such repository, revision or README.md.
    """
    if reference.file is not None:
        raise CardError(f"{reference} is a file; a model is named by its repository: {reference.with_file(None)}")
    readme, pinned = fetch_hub_file(reference.with_file(CARD_FILE))
    name = _model_name(readme, reference)
    if name is None:
        raise CardError(f"{reference}: its {CARD_FILE} has no 'tipr_zoo' block, so it is no card of the zoo")
    repository = pinned.with_file(None)
    folder = cache_folder() / "hub" / reference.repository.replace("/", "--") / str(pinned.revision)
    make_folder(folder)
    path = folder / f"{name}.md"
    text = _with_records(read_text(readme, CARD_LIMIT, "utf-8-sig"), repository, folder)
    write_whole(path, text.encode())
    return _in_repository(read_card(path), repository)


def hub_model_name(reference: HubReference) -> str | None:
    """Return the name of the model whose card a repository has. None where its ``README.md`` is no card of the zoo.

    Raises:
        HubError: The Hub cannot be reached, or has no such repository, revision or README.md.
    """
    try:
        return _model_name(fetch_hub_file(reference.with_file(CARD_FILE))[0], reference)
    except CardError:
        return None


def _model_name(readme: Path, reference: HubReference) -> str | None:
    """Return the model's name: that of the model index, else the repository's. None where this is no card."""
    values = read_front_matter(readme)
    if not isinstance(values.get("tipr_zoo"), dict):
        return None
    index = values.get("model-index")
    first = index[0] if isinstance(index, list) and index else None
    name = first.get("name") if isinstance(first, dict) else reference.repository.partition("/")[2]
    if not isinstance(name, str) or not MODEL_NAME.fullmatch(name):
        raise CardError(
            f"{reference}: model-index[0]: 'name' must be a name of at most 96 letters, digits, - _ and ., got {name!r}"
        )
    return name


def _with_records(text: str, repository: HubReference, folder: Path) -> str:
    """Fetch the evaluation records of the repository, and return the card's text with their paths as sources."""
    changes: dict[str, str] = {}
    for place, url in source_urls(text):
        page = _RECORD_PAGE.fullmatch(url)
        file = page["file"] if page else url if url.startswith(f"{RECORDS_FOLDER}/") else None
        if file is None and "://" not in url:  # else it would be read as a file of this machine
            raise CardError(f"{repository}: {place}: a record of a repository lies in {RECORDS_FOLDER}/, got {url!r}")
        if file is None:
            continue
        try:
            record, _ = fetch_hub_file(repository.with_file(file))
        except MissingHubFileError:
            if page is None:
                raise
            continue  # the page is of another repository: like any publication, it reports a figure
        make_folder((folder / file).parent)
        write_whole(folder / file, read_bytes(record, CARD_LIMIT))
        changes[place] = file
    return replace_values(text, changes)


def _in_repository(card: ModelCard, repository: HubReference) -> ModelCard:
    """Return the card with the place of its weights on the Hub. Refuse a recipe outside of the plugin."""
    config = PurePosixPath(card.config)
    if config.is_absolute() or ".." in config.parts or "\\" in card.config:
        raise CardError(f"{repository}: tipr_zoo: 'config' must name a recipe of the plugin, got {card.config!r}")
    weights = card.weights
    if weights is None:
        return card
    if weights.vocabulary is not None:
        file = str(repository.with_file(weights.vocabulary.file))
        weights = replace(weights, vocabulary=replace(weights.vocabulary, file=file))
    if not weights.is_remote and not is_hub_reference(weights.location):
        weights = replace(weights, location=str(repository.with_file(weights.location)))
    return replace(card, weights=weights)
