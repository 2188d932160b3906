"""Trying the promises of a head."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

import torch
from torch import nn

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.models.component_check import check_needs
from tipr_zoo.protocols import Head, TwoTowerRetriever, missing_names
from tipr_zoo.sentence_ends import SentenceEnds
from tipr_zoo.testing.objective_check import Case, check_objective
from tipr_zoo.testing.sample_batch import CAPTIONS, further_entries, sample_batch
from tipr_zoo.testing.trial import Trial, alike_every_time, expect


def check_head(head: nn.Module, retriever: DualEncoder) -> None:
    """Try every promise of a head on a retriever's features of a small batch; see `tipr_zoo.testing.check_loss`.

    Args:
        head: The head. It is not changed.
        retriever: A retriever whose towers fit the head, e.g. the head's own. It is not changed. If it has an identity
            classifier, this must know 4 identities.

    Raises:
        BrokenPromiseError: A promise is broken. The message names the first one.
    """
    trial = Trial(f"head {type(head).__name__}")
    with trial.promise("is a module"):
        missing = missing_names(head, Head)
        expect(not missing, f"it lacks {', '.join(missing)}")
        expect(isinstance(head, nn.Module), "it is no torch.nn.Module")
    with trial.promise("fits the towers of the model"):
        missing = missing_names(retriever, TwoTowerRetriever)
        expect(not missing, f"{type(retriever).__name__} lacks {', '.join(missing)}, so it has no heads to try")
        check_needs(head, "the head", retriever.image_encoder, retriever.text_encoder)
    with alike_every_time():
        own, model = deepcopy(head), deepcopy(retriever).eval()
        if hasattr(own, "setup"):
            with trial.promise("can be set up"):
                cast(Any, own).setup(model)
        check_objective(trial, own, _case(own, model))


def _case(head: nn.Module, retriever: DualEncoder) -> Case:
    """Make a case with random pictures and real captions that go through both towers."""
    images, ids = torch.randn(len(CAPTIONS), 3, *retriever.image_size), retriever.tokenize(CAPTIONS)
    with torch.no_grad():
        tokens = retriever.image_encoder(images[:1]).shape[1]
    batch = sample_batch(images, ids, retriever.tokenize.mask_id, tokens, SentenceEnds.of(retriever.text_encoder))
    batch = further_entries(head, batch)
    sources = {
        side: [
            parameter
            for parameter in retriever.get_submodule(f"{side}_encoder").parameters()
            if parameter.requires_grad
        ]
        for side in ("image", "text")
    }
    return Case(batch, lambda: retriever.features(batch), sources, (retriever,))
