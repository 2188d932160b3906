"""BERT's text tower against transformers' own, and what it says of itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tipr_zoo.backbones import BertTextEncoder
from tipr_zoo.errors import ConfigError

SMALL: dict[str, Any] = {"embedding_size": 16, "vocabulary_size": 50, "width": 32, "depth": 2, "num_heads": 2}


@pytest.fixture
def tower() -> BertTextEncoder:
    torch.manual_seed(0)
    return BertTextEncoder(**SMALL, context_length=12).eval()


@pytest.fixture
def ids() -> Tensor:
    """Three captions: of 5 tokens, of 12 and of the two that every caption has."""
    rows = torch.zeros(3, 12, dtype=torch.int64)
    for row, length in enumerate((5, 12, 2)):
        rows[row, :length] = torch.tensor([2, *range(30, 30 + length - 2), 3])
    return rows


def test_it_says_where_sentences_end_and_that_it_pools_the_first_token(tower: BertTextEncoder, ids: Tensor) -> None:
    assert tower.end_positions(ids).tolist() == [4, 11, 1]
    assert tower.pooled_positions(ids).tolist() == [0, 0, 0]
    assert (tower.is_causal, tower.masks_padding) == (False, True)


def test_tokens_are_those_of_transformers_bert_without_any_padding(tower: BertTextEncoder, ids: Tensor) -> None:
    with torch.no_grad():
        tokens = tower(ids)
        for row, length in enumerate((5, 12, 2)):
            alone = (
                tower.trunk(input_ids=ids[row : row + 1, :length]).last_hidden_state @ tower.text_projection.weight.T
            )
            torch.testing.assert_close(tokens[row, :length], alone[0], rtol=1e-5, atol=1e-5)


def test_a_token_sees_those_after_it(tower: BertTextEncoder, ids: Tensor) -> None:
    changed = ids.clone()
    changed[0, 3] = 41
    with torch.no_grad():
        assert (tower(changed)[0, 0] - tower(ids)[0, 0]).abs().max() > 1e-4


def test_nothing_but_padding_is_finite(tower: BertTextEncoder) -> None:
    assert tower(torch.zeros(1, 12, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": 1.0}, "dropout must be a number from 0 to below 1, got 1.0"),
        ({"dropout": True}, "dropout must be a number from 0 to below 1, got True"),
        ({"width": 30, "num_heads": 4}, "width 30 is no multiple of num_heads 4"),
        ({"depth": 0}, "depth must be a whole number above 0, got 0"),
    ],
)
def test_sizes_that_make_no_sense_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BertTextEncoder(**SMALL | options)
