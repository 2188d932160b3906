"""RDE's changes to the tokens of a caption."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tipr_zoo_rde.components import TokenAugmentation
from torch import Tensor

import tipr_zoo
from tipr_zoo.errors import ConfigError

SENTENCE = "a man with a black bag and a red hat and blue trousers and white shoes"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tipr_zoo.build("rde_tiny_synth").tokenize


def changed(tokenizer: Any, ids: Tensor, seed: int, **arguments: float) -> Tensor:
    augmentation = TokenAugmentation([SENTENCE], tokenizer, **arguments)
    assert augmentation(0, torch.Generator()) == SENTENCE
    return augmentation.change_ids(ids.clone(), torch.Generator().manual_seed(seed))


def test_start_and_end_stay_and_zeros_follow(tokenizer: Any) -> None:
    ids = tokenizer(SENTENCE)[0]
    for seed in range(50):
        found = changed(tokenizer, ids, seed, probability=0.5)
        length = int(found.count_nonzero())
        assert found.shape == ids.shape
        assert found.dtype == torch.int64
        assert found[0] == ids[0]
        assert found[length - 1] == ids.max()
        assert not found[length:].any()
        assert int(found.argmax()) == length - 1


def test_shares_are_those_of_the_published_code(tokenizer: Any) -> None:
    ids = tokenizer(SENTENCE)[0]
    words = int(ids.count_nonzero()) - 2
    masked = dropped = same = 0
    for seed in range(2000):
        found = changed(tokenizer, ids, seed)
        masked += int((found == tokenizer.mask_id).sum())
        lost = words + 2 - int(found.count_nonzero())
        dropped += lost
        same += int((found[1 : words + 1] == ids[1 : words + 1]).sum()) if not lost else 0
    whole = 2000 * words
    assert masked / whole == pytest.approx(0.2 * 0.6, rel=0.06)
    assert dropped / whole == pytest.approx(0.2 * 0.2, rel=0.1)


@pytest.mark.parametrize("caption", ["", "man", "!!!", "a red hat " * 60])
def test_any_caption_stays_one(tokenizer: Any, caption: str) -> None:
    ids = tokenizer(caption)[0]
    for seed in range(20):
        found = changed(tokenizer, ids, seed, probability=1.0)
        assert found[0] == ids[0]
        assert int((found == ids.max()).sum()) == 1


def test_nothing_changes_at_0(tokenizer: Any) -> None:
    ids = tokenizer(SENTENCE)[0]
    assert torch.equal(changed(tokenizer, ids, 0, probability=0.0), ids)


def test_arguments_that_make_no_sense_are_told(tokenizer: Any) -> None:
    with pytest.raises(ConfigError, match="probability of TokenAugmentation must be from 0 to 1, got 2"):
        TokenAugmentation([], tokenizer, probability=2)
    with pytest.raises(ConfigError, match="needs a mask_id of the tokenizer, and object has none"):
        TokenAugmentation([], object())  # type: ignore[arg-type]
