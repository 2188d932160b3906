"""Trying the promises of a loss."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn

from tipr_zoo.features import Features
from tipr_zoo.protocols import Loss, missing_names
from tipr_zoo.sentence_ends import largest_ids
from tipr_zoo.testing.objective_check import Case, check_objective
from tipr_zoo.testing.sample_batch import IDENTITIES, further_entries, sample_batch
from tipr_zoo.testing.trial import Trial, alike_every_time, expect

PATCHES, LENGTH, VOCABULARY = 6, 12, 100
"""Number of patches, length of a caption in tokens, and number of token ids. The last id is the end token."""


def check_loss(
    loss: nn.Module, embedding_size: int = 64, parts: Iterable[str] = (), retriever: nn.Module | None = None
) -> None:
    """Try every promise of a loss on random features: finite, gradients, order, autocast, processes, saving.

    Args:
        loss: The loss. It is not changed.
        embedding_size: Size D of the features.
        parts: Names of the parts of the similarity, where the loss is for models that have some. Each gets random
            embeddings.
        retriever: What a loss that has ``setup`` is set up with; another needs none.

    Raises:
        BrokenPromiseError: A promise is broken. The message names the first one.
    """
    trial = Trial(f"loss {type(loss).__name__}")
    with trial.promise("is a module without parameters"):
        missing = missing_names(loss, Loss)
        expect(not missing, f"it lacks {', '.join(missing)}")
        expect(isinstance(loss, nn.Module), "it is no torch.nn.Module")
        names = ", ".join(name for name, _ in loss.named_parameters())
        expect(not names, f"it has {names}; register it as a head")
    with alike_every_time():
        own = deepcopy(loss)
        if hasattr(own, "setup"):
            with trial.promise("can be set up"):
                expect(retriever is not None, "it has setup, so say what with: check_loss(loss, retriever=...)")
                cast(Any, own).setup(deepcopy(retriever))
        check_objective(trial, own, _case(own, embedding_size, tuple(parts)))


def _case(loss: nn.Module, embedding_size: int, parts: tuple[str, ...]) -> Case:
    """Make a case with random tokens in place of towers."""
    rows = len(IDENTITIES)
    ids = torch.randint(1, VOCABULARY - 2, (rows, LENGTH))
    for row, end in enumerate(torch.randint(4, LENGTH, (rows,)).tolist()):
        ids[row, end], ids[row, end + 1 :] = VOCABULARY - 1, 0
    image_tokens = torch.randn(rows, 1 + PATCHES, embedding_size, requires_grad=True)
    text_tokens = torch.randn(rows, LENGTH, embedding_size, requires_grad=True)
    turns = [torch.randn(embedding_size, embedding_size) / embedding_size**0.5 for _ in parts]
    batch = sample_batch(torch.randn(rows, 3, 32, 16), ids, mask_id=VOCABULARY - 3, tokens=1 + PATCHES)
    batch = further_entries(loss, batch)

    def forward() -> Features:
        image, text = _rounded(image_tokens), _rounded(text_tokens)
        image_embedding, text_embedding = image[:, 0], text[torch.arange(rows), largest_ids(ids)]
        by_part = {
            name: (image_embedding @ turn.to(image), text_embedding @ turn.to(text))
            for name, turn in zip(parts, turns, strict=True)
        }
        return Features(image, text, image_embedding, text_embedding, by_part)

    return Case(batch, forward, {"image": [image_tokens], "text": [text_tokens]})


def _rounded(tokens: Tensor) -> Tensor:
    """Return the tokens as towers would give them: under autocast, in half precision."""
    return tokens.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else tokens
