"""The check of weights before they are published: safe to read, finite, and those of the model that the card is of."""

from __future__ import annotations

from pathlib import Path

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.errors import WeightsError
from tipr_zoo.terminal.suggested_command import quoted


def check_published_weights(card: ModelCard, file: Path, is_own: bool) -> None:
    """Load weights into their model, as whoever fetches them will.

    Args:
        card: The model's card.
        file: The weights.
        is_own: Whether they are those that the card names.

    Raises:
        WeightsError: They are no safetensors file, which needs no trust in its author; they hold what is no weight; or
            they are of another model, or do not fit this one.
        TiprZooError: The model cannot be built.
    """
    import safetensors  # not at the top: a card without weights needs neither this nor torch

    from tipr_zoo.models.building import build_with_weights
    from tipr_zoo.models.resolved_model import resolve_card
    from tipr_zoo.models.weights_origin import other_model
    from tipr_zoo.weights.header import read_metadata

    try:
        with safetensors.safe_open(str(file), framework="np"):
            pass
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(
            f"weights {file} are no safetensors file ({error}); only such are published, convert them first"
        ) from error
    resolved = resolve_card(card)
    if (owner := other_model(file, read_metadata(file), resolved)) is not None:
        raise WeightsError(
            f"weights {file} are of the model {owner}, not of {card.name}; publish that one, or write a card for these:"
            f" tipr-zoo cards new NAME --from-weights {quoted(file)}"
        )
    build_with_weights(resolved, file, is_own)
