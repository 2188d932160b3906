"""One part of a model's similarity, measured alone: some columns of its embeddings."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError


def part_columns(model: object, part: str) -> slice:
    """Return the columns of the embeddings that one part of the similarity compares.

    Args:
        model: A retriever. Where its similarity is the mean of several cosines, it has ``parts``, a dict from a name to
            a slice of the columns of its embeddings.
        part: The name.

    Raises:
        ConfigError: The model has no parts, or what it says of this one is no slice.
        UnknownNameError: It has others.
    """
    parts, kind = getattr(model, "parts", None), type(model).__name__
    if not isinstance(parts, Mapping) or not parts:
        raise ConfigError(f"{kind} has no parts, since it compares one pair of embeddings; leave out the part {part!r}")
    if not all(isinstance(name, str) for name in parts):
        raise ConfigError(f"the parts of {kind} must go by texts, got {list(parts)!r}")
    if part not in parts:
        raise unknown_name("part", part, parts, f"of the similarity of {kind}")
    if not _is_of_columns(parts[part]):
        raise ConfigError(f"part {part!r} of {kind} must be a slice of the embedding's columns, got {parts[part]!r}")
    columns: slice = parts[part]
    return columns


def _is_of_columns(columns: object) -> bool:
    """Tell whether this is a slice whose bounds are whole numbers, as far as it has any."""
    bounds = (columns.start, columns.stop, columns.step) if isinstance(columns, slice) else ("",)
    return all(bound is None or type(bound) is int for bound in bounds) and bounds[-1] != 0


def of_part(embeddings: Tensor, model: object, part: str | None) -> Tensor:
    """Return the columns that one part of the similarity compares: (N, D) -> (N, D of the part).

    Args:
        embeddings: (N, D) float, as the model embeds captions or pictures.
        model: See `part_columns`.
        part: The name; None for the whole similarity.

    Raises:
        ConfigError: As `part_columns` does, or these columns are none, or more than there are.
        UnknownNameError: As `part_columns` does.
    """
    if part is None:
        return embeddings
    columns, width = part_columns(model, part), embeddings.shape[1]
    if any(bound is not None and abs(bound) > width for bound in (columns.start, columns.stop)):
        raise ConfigError(f"part {part!r} of {type(model).__name__} goes beyond its {width} columns: {columns}")
    chosen = embeddings[:, columns]
    if not chosen.shape[1]:
        raise ConfigError(f"part {part!r} of {type(model).__name__} has none of its {embeddings.shape[1]} columns")
    return chosen
