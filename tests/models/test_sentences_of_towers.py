"""Building refuses a text tower whose sentences do not end where the tokenizer ends them, or that sees padding."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor

from tipr_zoo.backbones import BertTextEncoder, CLIPTextEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.component_check import check_sentences
from tipr_zoo.tokenizers import SmallTokenizer

SIZES: dict[str, Any] = {"embedding_size": 16, "vocabulary_size": 800, "width": 16, "depth": 1, "num_heads": 1}


class SeesPadding(BertTextEncoder):
    masks_padding = False


class EndsOutside(CLIPTextEncoder):
    @staticmethod
    def end_positions(ids: Tensor) -> Tensor:
        return ids.argmax(dim=1) + ids.shape[1]


class EndsEarly(CLIPTextEncoder):
    @staticmethod
    def end_positions(ids: Tensor) -> Tensor:
        return ids.argmax(dim=1) - 1


class PoolsPadding(CLIPTextEncoder):
    @staticmethod
    def pooled_positions(ids: Tensor) -> Tensor:
        return ids.argmax(dim=1) + 1


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (SeesPadding, "SeesPadding is bidirectional .* mask it, and say so by masks_padding = True"),
        (EndsOutside, "end_positions of EndsOutside lies outside of row 0"),
        (EndsEarly, "EndsEarly finds the end of 'a man' at token 2, and SmallTokenizer .* ends it at token 3"),
        (PoolsPadding, "PoolsPadding finds the embedding of 'a man' at token 4, and SmallTokenizer"),
    ],
)
def test_what_does_not_fit_is_told(kind: type, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_sentences(kind(**SIZES), SmallTokenizer("synthpedes.json"))


@pytest.mark.parametrize("kind", [BertTextEncoder, CLIPTextEncoder])
@pytest.mark.parametrize("length", [3, 7, 77])
def test_what_fits_passes_in_any_context(kind: type, length: int, caplog: pytest.LogCaptureFixture) -> None:
    check_sentences(kind(**SIZES), SmallTokenizer("synthpedes.json", context_length=length))
    assert caplog.records == []
