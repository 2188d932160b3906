"""Publishing a model on the Hugging Face Hub: only its card, weights, evaluation records and recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from tipr_zoo.authoring.card_check import check_card
from tipr_zoo.authoring.card_stub import weights_fields
from tipr_zoo.authoring.published_weights import check_published_weights
from tipr_zoo.cards.card import ModelCard, read_card
from tipr_zoo.cards.hub_reference import CARD_FILE, HubReference, checked_repository, checked_revision, is_hub_reference
from tipr_zoo.cards.lines import replace_values, source_urls
from tipr_zoo.cards.record import read_record, record_text
from tipr_zoo.cards.weights_check import check_file
from tipr_zoo.errors import CardError, ConfigError, HubError, WeightsError
from tipr_zoo.hub.card import RECORDS_FOLDER, hub_model_name
from tipr_zoo.hub.client import LOGIN, hub_client, hub_errors
from tipr_zoo.models.lookup import list_models, load_card
from tipr_zoo.outside.files import CARD_LIMIT, file_sha256, read_text
from tipr_zoo.plugins.discovery import find_plugin
from tipr_zoo.terminal.published_paths import without_folders
from tipr_zoo.terminal.suggested_command import quoted
from tipr_zoo.weights.training_vocabulary import training_vocabulary

RECIPE_FILE = "recipe.py"
"""The recipe's file in a repository. It is for readers, and nothing runs it."""

DEFAULT_BRANCH = "main"


@dataclass(frozen=True)
class HubFile:
    """A file to be uploaded.

    Attributes:
        path: Path in the repository.
        content: The path of the file on this machine, or its text.
        kind: Its kind: card, weights, vocabulary, record or recipe.
    """

    path: str
    content: Path | str
    kind: str

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content.encode())


@dataclass(frozen=True)
class PushPlan:
    """The plan of an upload.

    Attributes:
        model: The model's name.
        repository: ``"owner/name"``.
        branch: The branch to upload to.
        private: Whether a new repository is private.
        files: The files, the card first.
        changes: The differences between the uploaded card and the local one, in words.
    """

    model: str
    repository: str
    branch: str
    private: bool
    files: tuple[HubFile, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Pushed:
    """The result of an upload.

    Attributes:
        commit: The commit with the files.
        url: The page of that commit.
        is_new: Whether the Hub lacked something, so that there was something to upload.
    """

    commit: str
    url: str
    is_new: bool


def plan_push(
    model: str,
    repository: str,
    weights: Path | None = None,
    branch: str | None = None,
    private: bool = False,
) -> PushPlan:
    """Put together the files of a repository. The Hub is not asked.

    Args:
        model: Name of a model, or path of a card (``.md``).
        repository: ``"owner/name"``.
        weights: A safetensors file to upload instead of the weights that the card names.
        branch: Branch to upload to. ``main`` by default.
        private: Whether a new repository is private.

    Raises:
        UnknownNameError: There is no model of this name.
        CardError: The card is wrong, or has a ``TODO`` left.
        ConfigError: `repository` or `branch` is not a possible name, `model` is on the Hub already, or the figures
            were measured with other weights than `weights`.
        WeightsError: The weights are missing, are no safetensors file, do not agree with the card, hold what is no
            weight, or are of another model.
    """
    checked_repository(repository)
    if is_hub_reference(model):
        raise ConfigError(f"{model} is on the Hub already; name a model or a card (.md) of this machine")
    branch = checked_revision(branch or DEFAULT_BRANCH)
    card = _card(model)
    _check_ready(card)
    text = read_text(card.path, CARD_LIMIT, "utf-8-sig")
    weights_file, changed_weights, told = _weights_file(card, weights)
    if weights_file is not None and isinstance(weights_file.content, Path):
        check_published_weights(card, weights_file.content, is_own=weights is None)
    vocabulary = _vocabulary_file(card) if weights is None else None
    pages = f"{hub_client().endpoint}/{repository}/blob/{quote(branch, safe='')}/"
    records, changed_sources = _record_files(card, text, pages)
    changes = [told] if told else []
    if records:
        changes.append(f"the sources of its measured figures are the records' pages, {pages}{RECORDS_FOLDER}/...")
    files = [
        HubFile(CARD_FILE, replace_values(text, changed_weights | changed_sources), "card"),
        *([weights_file] if weights_file else []),
        *([vocabulary] if vocabulary else []),
        *records,
        HubFile(RECIPE_FILE, _recipe_text(card), "recipe"),
    ]
    return PushPlan(card.name, repository, branch, private, tuple(files), tuple(changes))


def push(plan: PushPlan) -> Pushed:
    """Upload everything in one commit. Make the repository if it is missing.

    Raises:
        HubError: There is no token, the token does not allow it, the Hub cannot be reached or refuses the card, or
            the repository holds something other than this model.
    """
    from huggingface_hub import CommitOperationAdd, get_token  # not at the top: a dry run needs no client

    place = f"{plan.repository} on the Hub"
    with hub_errors(place):
        if get_token() is None:
            raise HubError(f"{place}: no token; {LOGIN}")
        client = hub_client()
        client.create_repo(plan.repository, private=plan.private or None, exist_ok=True)
        if plan.branch != DEFAULT_BRANCH:
            client.create_branch(plan.repository, branch=plan.branch, exist_ok=True)
        info = client.model_info(plan.repository, revision=plan.branch)
        _check_same_model(plan, [sibling.rfilename for sibling in info.siblings or []], str(info.sha))
        operations = [
            CommitOperationAdd(
                path_in_repo=file.path,
                path_or_fileobj=file.content if isinstance(file.content, Path) else file.content.encode(),
            )
            for file in plan.files
        ]
        commit = client.create_commit(
            plan.repository,
            operations,
            commit_message=f"Upload {plan.model} with tipr-zoo",
            revision=plan.branch,
            parent_commit=info.sha,  # a commit that came in between is an error and is not overwritten
        )
    return Pushed(commit.oid, commit.commit_url, is_new=commit.oid != info.sha)


def _card(model: str) -> ModelCard:
    """Return the card of a path or a name. `tipr-zoo cards new NAME` writes one into the present folder."""
    if model.endswith(".md"):
        return read_card(Path(model))
    here = Path(f"{model}.md")
    if model not in list_models() and here.is_file():
        return read_card(here)
    return load_card(model)


def _check_ready(card: ModelCard) -> None:
    """Refuse a card that is wrong or not complete."""
    if problems := check_card(card.path):
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise CardError(f"{problems[0]}{more}; mend it first: tipr-zoo cards check {quoted(card.path)}")


def _check_measured_with(card: ModelCard, weights: Path) -> None:
    """Refuse weights that are not those of the measured figures."""
    if not weights.is_file():
        raise WeightsError(f"weights {weights} do not exist; check the path")
    sha256 = file_sha256(weights)
    for result in card.results:
        if result.record is not None and result.record.weights_sha256 != sha256:
            raise ConfigError(
                f"{card.name}: its measured figures are of other weights than {weights}; write a card for these:"
                f" tipr-zoo cards new NAME --from-weights {quoted(weights)} --record RECORD"
            )


def _weights_file(card: ModelCard, weights: Path | None) -> tuple[HubFile | None, dict[str, Any], str | None]:
    """Return the weights to upload, the card's fields that change because of them, and that change in words."""
    own = card.weights
    location = f"weights/{card.name}.safetensors"
    if weights is not None:
        _check_measured_with(card, weights)
        block = {**weights_fields(weights, location), "license": own.license if own else card.license}
        change = f"its weights are {location} ({weights}) and not {own.location if own else 'null'}"
        return HubFile(location, weights, "weights"), {"tipr_zoo.weights": block}, change
    if own is None:
        return None, {}, None
    if own.is_remote or is_hub_reference(own.location):
        return None, {}, f"its weights stay at {own.location} and are not uploaded"
    file = card.path.parent / own.location
    check_file(file, own, advice=f"mend {card.path}")
    path = PurePosixPath(own.location)
    if path.is_absolute() or ".." in path.parts:
        return (
            HubFile(location, file, "weights"),
            {"tipr_zoo.weights.file": location},
            f"its weights are {location}",
        )
    return HubFile(own.location, file, "weights"), {}, None


def _vocabulary_file(card: ModelCard) -> HubFile | None:
    """Return the file with the words that the card's weights were trained on, where it names one beside it."""
    named = card.weights.vocabulary if card.weights else None
    if named is None or is_hub_reference(named.file):
        return None
    training_vocabulary(card)  # checks it
    path = PurePosixPath(named.file)
    if path.is_absolute() or ".." in path.parts:
        raise ConfigError(f"{card.path}: the vocabulary {named.file} must lie beside the card; move it there")
    return HubFile(named.file, card.path.parent / named.file, "vocabulary")


def _record_files(card: ModelCard, text: str, pages: str) -> tuple[list[HubFile], dict[str, Any]]:
    """Return the evaluation records to upload, and the card's sources, which become the pages of these records."""
    measured = {result.source_url: result.source_name for result in card.results if result.record is not None}
    files: dict[str, HubFile] = {}
    sources: dict[str, Path] = {}
    changes: dict[str, Any] = {}
    for place, url in source_urls(text):
        if url not in measured:
            continue
        path = url if url.startswith(f"{RECORDS_FOLDER}/") else f"{RECORDS_FOLDER}/{Path(url).name}"
        content = card.path.parent / url
        if sources.setdefault(path, content) != content:
            raise ConfigError(f"{card.path}: two records are called {Path(url).name}; rename one of them")
        files[path] = HubFile(path, _published_record(content), "record")
        changes[place] = pages + path
        if card.answers is not None and card.answers.source == url != path:
            changes["tipr_zoo.answers.source"] = path
        if (name := without_folders(measured[url])) != measured[url]:
            changes[f"{place.removesuffix('url')}name"] = name
    return list(files.values()), changes


def _published_record(file: Path) -> Path | str:
    """Return the file; its text where its command names folders of the machine that measured, and then without them."""
    record = read_record(file)
    command = without_folders(record.command)
    return file if command == record.command else record_text(replace(record, command=command))


def _recipe_text(card: ModelCard) -> str:
    """Return the recipe with everything from its bases, as one file."""
    # Not at the top: a plan that fails before its recipe is read needs no mmengine.
    from tipr_zoo.models.recipe import recipe_source

    owner = "tipr-zoo"
    if card.plugin is not None:
        plugin = find_plugin(card.plugin)
        owner = f"{plugin.distribution} {plugin.version}"
    note = f"{card.config} of {owner}, with its bases. To be read: the zoo builds with the installed one."
    return f'"""{note}"""\n\n{recipe_source(card)}'


def _check_same_model(plan: PushPlan, names: Sequence[str], commit: str) -> None:
    """Refuse a repository that holds something else. It must not be overwritten."""
    contents = [name for name in names if name != ".gitattributes"]  # the Hub itself puts this file there
    if not contents:
        return
    place = f"{plan.repository} on the Hub"
    found = hub_model_name(HubReference(plan.repository, commit)) if CARD_FILE in contents else None
    if found is None:
        listed = ", ".join(contents[:3]) + (f" and {len(contents) - 3} more" if len(contents) > 3 else "")
        raise HubError(f"{place} holds something else than a model of the zoo ({listed}); choose another repository")
    if found != plan.model:
        raise HubError(f"{place} holds another model, {found!r}; choose another repository")
