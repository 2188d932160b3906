"""A model of the zoo with weights, and where those come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.record import IMAGE_TO_TEXT, SELECTED_ON, TEXT_TO_IMAGE
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.embedding_cache import model_sha256
from tipr_zoo.evaluation.first_stage import PostprocessStep
from tipr_zoo.evaluation.reranking import FIRST_STAGE_ALONE, Reranking
from tipr_zoo.hub.card import pinned_model
from tipr_zoo.hub.weights import local_weights, pinned_weights
from tipr_zoo.models.building import build_with_weights, check_has_weights
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.recipe import evaluation_settings
from tipr_zoo.models.resolved_model import ResolvedModel, resolve_card
from tipr_zoo.models.weights_origin import other_model
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.protocols import Retriever
from tipr_zoo.weights.fetching import fetch_weights
from tipr_zoo.weights.header import read_metadata

_LONGEST_SEED = 20
"""Digits of the seed of a training."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to be measured.

    Attributes:
        name: Name of its card; of one on the Hub the reference, with the commit.
        model: In eval mode.
        device: Where it lives.
        weights: The file that was named instead of the card's weights, or None; on the Hub with the commit.
        overrides: Entries of the recipe that were changed, by dotted name.
        weights_sha256: Hash of the weights' file.
        trained_on: The data set that they were trained on, or None where nothing says so.
        training_seed: Seed of their training, or None where nothing says so.
        selected_on: What their epoch was chosen on, one of `tipr_zoo.cards.record.SELECTED_ON`; None where nothing
            says so.
        weights_of: The model that the weights are of, where it is another; None where it is this one or not known.
        sha256: Hash of all that its embeddings depend on; see `tipr_zoo.evaluation.embedding_cache.model_sha256`.
        part: The part of its similarity that is measured alone; None for the whole.
        reranking: How many of each caption's best pictures are ranked again.
        own_reranking: What its recipe says of that.
        postprocess: The steps that change its first stage, in their order.
    """

    name: str
    model: Retriever
    device: torch.device
    weights: Path | None
    overrides: dict[str, Any]
    weights_sha256: str
    trained_on: str | None
    training_seed: int | None
    selected_on: str | None
    weights_of: str | None
    sha256: str
    part: str | None = None
    reranking: Reranking = FIRST_STAGE_ALONE
    own_reranking: Reranking = FIRST_STAGE_ALONE
    postprocess: tuple[PostprocessStep, ...] = ()

    def with_reranking(
        self, rerank: int | None, rest: str | None, directions: Sequence[str] = (TEXT_TO_IMAGE,)
    ) -> LoadedModel:
        """Return the same model, measured with another `reranking`.

        Args:
            rerank: How many of each caption's best pictures are ranked again, 0 for none; None for what the recipe
                says. A part of the similarity alone is not ranked again.
            rest: The order of the others, one of `tipr_zoo.cards.record.RERANK_RESTS`; None for what the recipe says.
            directions: What is going to be measured. Pictures are ranked again, captions are not.

        Raises:
            ConfigError: `rerank` makes no sense, or does not go with the part or the directions; or `rest` is given
                and nothing is ranked again.
            UnknownNameError: There is no such `rest`.
        """
        if rerank and self.part is not None:
            raise ConfigError(f"the part {self.part!r} alone is the first stage's; leave it out, or rerank {rerank}")
        if rerank and TEXT_TO_IMAGE not in directions:
            raise ConfigError(
                f"rerank {rerank} ranks the pictures of a caption again, and {IMAGE_TO_TEXT} ranks captions; leave out"
                f" one of them, or measure both directions"
            )
        own = 0 if self.part is not None else self.own_reranking.count
        chosen = Reranking(own if rerank is None else rerank, rest or self.own_reranking.rest)
        if rest is not None and not chosen.count:
            raise ConfigError(
                f"rerank_rest {rest!r} is the order of the pictures below those that are ranked again, and none is; add"
                " rerank K, or leave it out"
            )
        return replace(self, reranking=chosen)


def load_model(
    name: str, weights: Path | None, device: torch.device, overrides: Mapping[str, Any] | None = None
) -> LoadedModel:
    """Build a model with the weights of its card, or with others.

    Args:
        name: A name that ``tipr-zoo list`` shows, or ``hub:owner/name[@revision]``.
        weights: A file to load instead of the card's, or ``hub:owner/name[@revision][:file]``.
        device: Where the model is to live.
        overrides: Entries of the recipe to change, by dotted name.

    Raises:
        WeightsError: There are no weights, or they are damaged or do not fit.
        TiprZooError: Whatever else `tipr_zoo.build` raises.
    """
    name = pinned_model(name)
    return load_of_card(load_card(name), name, weights, device, overrides)


def load_of_card(
    card: ModelCard,
    name: str,
    weights: Path | None,
    device: torch.device,
    overrides: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """Do the same with a card that was looked up already.

    Args:
        card: The model's card.
        name: The name that it was found by.
        weights: A file to load instead of the card's, or ``hub:owner/name[@revision][:file]``.
        device: Where the model is to live.
        overrides: Entries of the recipe to change, by dotted name.

    Raises:
        TiprZooError: As `load_model` does.
    """
    if weights is None:
        check_has_weights(card, name)
    return load_resolved(resolve_card(card, overrides, name), weights, device)


def load_resolved(resolved: ResolvedModel, weights: Path | None, device: torch.device) -> LoadedModel:
    """Load a model that was looked up already, as `load_model` does.

    Args:
        resolved: The model.
        weights: A file to load instead of the card's, or ``hub:owner/name[@revision][:file]``.
        device: Where the model is to live.

    Raises:
        TiprZooError: As `load_model` does.
    """
    card, weights = resolved.card, weights and pinned_weights(weights)
    file = fetch_weights(card) if weights is None else local_weights(weights)
    sha256 = cache(lambda: file_sha256(file))  # whoever asks first has the file read, and nobody else
    model = build_with_weights(resolved, file, weights is None, sha256).to(device).eval()
    own = card.weights if weights is None else None
    digest = sha256() if own is None else own.sha256  # with which the card's file was just compared
    evaluation = evaluation_settings(resolved.recipe)
    reranking = Reranking(evaluation.rerank, evaluation.rerank_rest)
    return LoadedModel(
        name=pinned_model(resolved.name),
        model=model,
        device=device,
        weights=weights,
        overrides=dict(resolved.overrides),
        weights_sha256=digest,
        **_training_of(file, digest, card),
        weights_of=None if weights is None else other_model(file, read_metadata(file), resolved, sha256),
        sha256=model_sha256(model, resolved.recipe.model, digest),
        reranking=reranking,
        own_reranking=reranking,
    )


def _training_of(file: Path, digest: str, card: ModelCard) -> dict[str, Any]:
    """Return how weights were trained, as their header says, or else as the card and its evaluation records say."""
    metadata = read_metadata(file)
    seed, selected_on = metadata.get("seed", ""), metadata.get("selected_on")
    has_seed = seed.isdecimal() and len(seed) <= _LONGEST_SEED
    own = card.weights is not None and card.weights.sha256 == digest
    records = [result.record for result in card.results if result.record and result.record.weights_sha256 == digest]
    return {
        "trained_on": metadata.get("dataset") or (", ".join(card.datasets) if own else None),
        "training_seed": int(seed) if has_seed else records[0].training_seed if records else None,
        "selected_on": selected_on if selected_on in SELECTED_ON else records[0].selected_on if records else None,
    }
