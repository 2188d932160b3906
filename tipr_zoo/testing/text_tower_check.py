"""Trying the promises of a text tower."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import nn

from tipr_zoo.protocols import TextTower, Tokenizer, missing_names
from tipr_zoo.sentence_ends import end_positions, pooled_positions
from tipr_zoo.testing.sample_batch import CAPTIONS
from tipr_zoo.testing.tower_check import check_tokens
from tipr_zoo.testing.trial import Trial, alike_every_time, expect, expect_same


def check_text_tower(tower: nn.Module, tokenizer: Tokenizer) -> None:
    """Try every promise of a text tower on a few captions: shapes, eval mode, padding, autocast, saving.

    Args:
        tower: The tower. It is not changed. If it has ``encode_end``, that is tried, too.
        tokenizer: Makes the tower's token ids.

    Raises:
        BrokenPromiseError: A promise is broken. The message names the first one.
    """
    trial = Trial(f"text tower {type(tower).__name__}")
    with trial.promise("is a module"):
        missing = missing_names(tower, TextTower)
        expect(not missing, f"it lacks {', '.join(missing)}")
        expect(isinstance(tower, nn.Module), "it is no torch.nn.Module")
    ids = tokenizer(CAPTIONS[:4])
    with alike_every_time():
        copy: Any = deepcopy(tower).eval()  # `Any`, since it has more than a module
        tokens = check_tokens(trial, copy, ids)
        rows = torch.arange(len(ids))
        with trial.promise("says where a sentence ends and which token is its embedding"):
            ends, pooled = end_positions(copy, ids), pooled_positions(copy, ids)
            wanted = (ids != 0).sum(dim=1) - 1
            expect(torch.equal(ends, wanted), f"it says {ends.tolist()}, and the tokenizer ends at {wanted.tolist()}")
        with torch.no_grad():
            with trial.promise("gives a token for each id"):
                expect(tokens.shape[1] == ids.shape[1], f"of {ids.shape[1]} ids it makes {tokens.shape[1]} tokens")
            with trial.promise("gives the end tokens the same where less padding follows"):
                short = copy(ids[:, : int(ends.max()) + 1])
                expect_same(short[rows, pooled], tokens[rows, pooled], "the end tokens")
            if hasattr(copy, "encode_end"):
                with trial.promise("gives by encode_end the token at the end among all"):
                    expect_same(copy.encode_end(ids), tokens[rows, pooled], "the end tokens")
