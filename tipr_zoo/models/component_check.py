"""The check that the components of a model have what is needed of them. It is done at building, not in training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, TypeVar

import torch
from torch import nn

from tipr_zoo.errors import ConfigError
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.protocols import (
    Head,
    ImageTower,
    Loss,
    Neck,
    Retriever,
    TextTower,
    Tokenizer,
    missing_names,
    promised_names,
)
from tipr_zoo.sentence_ends import end_positions, pooled_positions

PAGE = "see Components in docs/plugin_contract.md"

_MODULES = (ImageTower, TextTower, Neck, Loss, Head, Retriever)

_ROOM = 8
"""Tokens of a context in which a short sentence is not cut."""

Component = TypeVar("Component")


def checked(component: Component, protocol: type, place: str) -> Component:
    """Return the component, if it has all that its protocol promises.

    Args:
        component: What a registry built.
        protocol: One of `tipr_zoo.protocols`.
        place: Where the recipe names it, e.g. ``"model.image_encoder"``.

    Raises:
        ConfigError: It lacks something, or is no module where it must be one.
    """
    name = type(component).__name__
    if missing := missing_names(component, protocol):
        raise ConfigError(f"{place}: {name} lacks {', '.join(missing)}, which every {_kind(protocol)} has; {PAGE}")
    if protocol in _MODULES and not isinstance(component, nn.Module):
        raise ConfigError(f"{place}: {name} is no torch.nn.Module, which every {_kind(protocol)} is; {PAGE}")
    return component


def check_needs(objective: object, place: str, image_encoder: object, text_encoder: object) -> None:
    """Check that the towers have what a loss or head says it needs.

    Args:
        objective: The loss or head. Its ``needs_of_image_tower`` and ``needs_of_text_tower`` are names; it needs
            nothing where they are absent. It needs tokens of patches, unless its ``needs_patch_tokens`` is False.
        place: Where the recipe names it, e.g. ``"model.heads.tir"``.
        image_encoder: The image tower.
        text_encoder: The text tower.

    Raises:
        ConfigError: A tower lacks something, or the objective does not say it by names.
    """
    if not getattr(image_encoder, "has_patch_tokens", True) and getattr(objective, "needs_patch_tokens", True):
        raise ConfigError(
            f"model.image_encoder: {type(image_encoder).__name__} gives no tokens of patches, which"
            f" {type(objective).__name__} ({place}) needs; take another tower, or leave it out ({place}=None); {PAGE}"
        )
    for tower_place, tower in (("image", image_encoder), ("text", text_encoder)):
        attribute = f"needs_of_{tower_place}_tower"
        needs = getattr(objective, attribute, ())
        if not isinstance(needs, (tuple, list)) or not all(isinstance(name, str) for name in needs):
            kind = type(objective).__name__
            raise ConfigError(f"{place}: {attribute} of {kind} must be a tuple of names, got {needs!r}; {PAGE}")
        if missing := [name for name in needs if not hasattr(tower, name)]:
            raise ConfigError(
                f"model.{tower_place}_encoder: {type(tower).__name__} lacks {', '.join(missing)}, which"
                f" {type(objective).__name__} ({place}) needs; take another tower, or leave it out ({place}=None);"
                f" {PAGE}"
            )


def checked_image_tower(component: object, place: str) -> ImageTower:
    """Return the component, if it is an image tower whose ``image_size`` is a height and a width.

    Args:
        component: What a registry built.
        place: Where the recipe names it.

    Raises:
        ConfigError: It lacks something, or its ``image_size`` is something else.
    """
    tower: ImageTower = checked(component, ImageTower, place)  # type: ignore[assignment]  # it has all of it
    _check_image_size(tower, place)
    return tower


def checked_retriever(component: object, place: str) -> Retriever:
    """Return the component, if it is a retriever, with methods where methods are promised, and of an image size.

    Args:
        component: What the registry MODELS built.
        place: Where the recipe names it.

    Raises:
        ConfigError: It lacks something, or has something else under that name.
    """
    retriever: Retriever = checked(component, Retriever, place)  # type: ignore[assignment]  # it has all of it
    _check_image_size(retriever, place)
    for name in promised_names(Retriever):
        if name != "image_size" and not callable(getattr(retriever, name)):
            kind = type(retriever).__name__
            raise ConfigError(f"{place}: {name} of {kind} must be callable, got {getattr(retriever, name)!r}; {PAGE}")
    _check_extras(retriever, place)
    return retriever


def _check_extras(retriever: Retriever, place: str) -> None:
    """Raise ConfigError where a retriever has ``objectives`` or a ``normalisation`` that are none."""
    kind = type(retriever).__name__
    objectives, normalisation = (getattr(retriever, name, None) for name in ("objectives", "normalisation"))
    is_mapping = objectives is None or isinstance(objectives, Mapping)
    if not is_mapping or not all(
        isinstance(key, str) and isinstance(objective, nn.Module) for key, objective in (objectives or {}).items()
    ):
        raise ConfigError(f"{place}: objectives of {kind} must be modules by their keys, got {objectives!r}; {PAGE}")
    if normalisation is not None and not isinstance(normalisation, ImageNormalisation):
        raise ConfigError(
            f"{place}: normalisation of {kind} must be an ImageNormalisation, got {normalisation!r}; {PAGE}"
        )


def _check_image_size(component: ImageTower | Retriever, place: str) -> None:
    """Raise ConfigError where a component's ``image_size`` is no height and width."""
    size: Any = component.image_size
    sides = [*size] if isinstance(size, Iterable) else []
    if len(sides) != 2 or not all(isinstance(side, Integral) and int(side) > 0 for side in sides):
        raise ConfigError(
            f"{place}: image_size of {type(component).__name__} must be (height, width) in pixels, got {size!r}; {PAGE}"
        )


def check_embedding_sizes(components: Mapping[str, object]) -> None:
    """Check that all components work in one space, as far as they tell its size by an ``embedding_size``.

    Args:
        components: The components by the place where the recipe names them.

    Raises:
        ConfigError: Two of them have other sizes.
    """
    sizes = {place: getattr(component, "embedding_size", None) for place, component in components.items()}
    told = {place: size for place, size in sizes.items() if isinstance(size, int)}
    first = next(iter(told), "")
    for place, size in told.items():
        if size != told[first]:
            one, other = (type(components[where]).__name__ for where in (first, place))
            raise ConfigError(
                f"{place}: {other} has embeddings of size {size}, {first}: {one} has such of size {told[first]}; they"
                f" must be of one size, e.g. {place}.embedding_size={told[first]}"
            )


def check_token_ids(components: Mapping[str, object], tokenizer: Tokenizer) -> None:
    """Check that all components know the token ids, and as many of them, as the tokenizer makes.

    Args:
        components: The components by the place where the recipe names them. What one does not tell, by a
            ``vocabulary_size`` or a ``context_length``, is not checked.
        tokenizer: The tokenizer.

    Raises:
        ConfigError: One knows fewer.
    """
    for place, component in components.items():
        for name, what in (
            ("vocabulary_size", "knows {} token ids"),
            ("context_length", "takes {} token ids a caption"),
        ):
            known, made = getattr(component, name, None), getattr(tokenizer, name, None)
            if isinstance(known, int) and isinstance(made, int) and known < made:
                raise ConfigError(
                    f"{place} {what.format(known)}, the tokenizer has {made}; set {place}.{name} to {made}"
                )


def check_sentences(text_encoder: object, tokenizer: Tokenizer) -> None:
    """Check that a text tower keeps out padding, and finds the end of a sentence where the tokenizer puts it.

    Args:
        text_encoder: The text tower; see `tipr_zoo.protocols.TextTower` for what it may say of itself.
        tokenizer: The tokenizer.

    Raises:
        ConfigError: It does not.
    """
    place, tower = "model.text_encoder", type(text_encoder).__name__
    if not getattr(text_encoder, "is_causal", True) and not getattr(text_encoder, "masks_padding", False):
        raise ConfigError(
            f"{place}: {tower} is bidirectional (is_causal = False), so its tokens would change with the padding; mask"
            f" it, and say so by masks_padding = True; {PAGE}"
        )
    if getattr(tokenizer, "is_ready", True) is False:
        return  # its vocabulary comes with the first caption
    sentence = "a man" if getattr(tokenizer, "context_length", 0) >= _ROOM else ""
    with torch.device("cpu"):  # a model may be built without numbers
        ids = tokenizer([sentence]).cpu()
        end, pooled = int(end_positions(text_encoder, ids)), int(pooled_positions(text_encoder, ids))
    last = int((ids != 0).sum()) - 1  # no piece of this sentence is id 0
    if end != last or pooled > last:
        found, what = (end, "the end") if end != last else (pooled, "the embedding")
        raise ConfigError(
            f"{place}: {tower} finds {what} of {sentence!r} at token {found}, and {type(tokenizer).__name__}"
            f" (model.tokenizer) ends it at token {last}; take a tokenizer for this tower, or give the tower"
            f" end_positions; {PAGE}"
        )


def _kind(protocol: type) -> str:
    """Return what a message calls the components of a protocol, e.g. ``"image tower"``."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in protocol.__name__).strip()
