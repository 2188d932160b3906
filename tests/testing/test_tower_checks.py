"""check_image_tower and check_text_tower: a tower that breaks one promise is told by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tipr_zoo.backbones.gradient_checkpointing import run_block
from tipr_zoo.errors import BrokenPromiseError, ConfigError
from tipr_zoo.testing import check_image_tower, check_text_tower

SIDE, ROWS, COLUMNS = 8, 3, 2


class Patches(nn.Module):
    """Keeps every promise: patches, and their mean for a class token."""

    image_size = (ROWS * SIDE, COLUMNS * SIDE)
    grid_size = (ROWS, COLUMNS)
    patch_size = stride = SIDE
    embedding_size = 5

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * SIDE**2, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.finished(self.patches(images))

    def encode_class(self, images: Tensor) -> Tensor:
        return self(images)[:, 0]

    def encode_visible(self, images: Tensor, visible: Tensor) -> Tensor:
        patches = self.patches(images)
        return self.finished(patches.gather(1, visible.unsqueeze(2).expand(-1, -1, patches.shape[2])))

    def patches(self, images: Tensor) -> Tensor:
        return self.layer(F.unfold(images, SIDE, stride=SIDE).transpose(1, 2))

    def finished(self, patches: Tensor) -> Tensor:
        return torch.cat([patches.mean(dim=1, keepdim=True), patches], dim=1)


class KeepsAMap(Patches):
    """For somebody who wants to draw it; a tensor with a graph cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.layer.register_forward_hook(self.keep)

    def keep(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.map = output


class LessThanNothing(Patches):
    image_size = (-ROWS * SIDE, COLUMNS * SIDE)


class OnlyTheLetterOfContract10(nn.Module):
    """A tower as contract 1.0 had it: an image_size and tokens."""

    image_size = (16, 8)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(2).transpose(1, 2)[:, :4])


class NoSize(Patches):
    @property
    def image_size(self) -> Any:
        raise AttributeError("image_size")


class OneSide(Patches):
    image_size = 24  # type: ignore[assignment]


class ForeignBlocks(Patches):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = [nn.Linear(2, 2)]


class CheckpointsNormalised(Patches):
    """Keeps its promises: a block with statistics, and one that draws."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.BatchNorm1d(7), nn.Dropout(0.5))
        self.checkpoints = False

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        self.checkpoints = enabled

    def finished(self, patches: Tensor) -> Tensor:
        tokens = super().finished(patches)
        for block in self.blocks:
            is_padded = tokens.shape[1] != 7  # visible patches alone
            tokens = tokens if is_padded else self.run(block, tokens)
        return tokens

    def run(self, block: nn.Module, tokens: Tensor) -> Tensor:
        return run_block(block, tokens, again=self.checkpoints and self.training)

    encode_visible = None  # type: ignore[assignment]


class LearnsTwice(CheckpointsNormalised):
    def run(self, block: nn.Module, tokens: Tensor) -> Tensor:
        if not (self.checkpoints and self.training):
            return block(tokens)
        return checkpoint(block, tokens, use_reentrant=False)


class DrawsAgain(CheckpointsNormalised):
    def run(self, block: nn.Module, tokens: Tensor) -> Tensor:
        if not (self.checkpoints and self.training):
            return block(tokens)
        return checkpoint(block, tokens, use_reentrant=False, preserve_rng_state=False)


class RefusesCheckpointing(Patches):
    def set_gradient_checkpointing(self, enabled: bool) -> None:
        raise ConfigError("there is none")


class NoTokens(Patches):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)[:, 0]


class Doubles(Patches):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).double()


class NotFinite(Patches):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).log()


class Frozen(Patches):
    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(images)


class AlwaysDropsOut(Patches):
    def forward(self, images: Tensor) -> Tensor:
        return F.dropout(super().forward(images), 0.5, training=True)


class CentresTheBatch(Patches):
    def forward(self, images: Tensor) -> Tensor:
        tokens = super().forward(images)
        return tokens - tokens.mean(dim=0)


class HasALambda(Patches):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda: 1


class OneTypeOnly(Patches):
    def finished(self, patches: Tensor) -> Tensor:
        tokens = super().finished(patches)
        return torch.zeros(tokens.shape).index_add(0, torch.arange(len(tokens)), tokens)


class RemembersOutsideItsState(Patches):
    seen = 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += self.training
        return super().forward(images) + self.seen


class AnotherClassToken(Patches):
    def encode_class(self, images: Tensor) -> Tensor:
        return self(images)[:, 1]


class AnotherSize(Patches):
    embedding_size = 6


class AnotherGrid(Patches):
    grid_size = (ROWS, COLUMNS + 1)


class ForgetsTheOrder(Patches):
    def encode_visible(self, images: Tensor, visible: Tensor) -> Tensor:
        return super().encode_visible(images, visible.sort(dim=1).values)


class LooksAround(Patches):
    def encode_visible(self, images: Tensor, visible: Tensor) -> Tensor:
        every = visible.shape[1] == ROWS * COLUMNS
        return super().encode_visible(images, visible) + (0 if every else images.mean())


@pytest.mark.parametrize(
    "tower", [Patches, KeepsAMap, OnlyTheLetterOfContract10, CheckpointsNormalised, RefusesCheckpointing]
)
def test_an_image_tower_that_keeps_every_promise(tower: type[nn.Module]) -> None:
    own = tower()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    check_image_tower(own)
    assert own.training
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())


@pytest.mark.parametrize(
    ("tower", "promise", "found"),
    [
        (NoSize, "is a module with image_size", "it lacks image_size"),
        (OneSide, "is a module with image_size", r"must be \(height, width\) in pixels, got 24"),
        (LessThanNothing, "is a module with image_size", r"must be \(height, width\) in pixels, got \(-24"),
        (NoTokens, "tokens, D. finite float32 tokens", r"for B = 3 their shape is \(3, 5\)"),
        (Doubles, "tokens, D. finite float32 tokens", "they are torch.float64"),
        (NotFinite, "tokens, D. finite float32 tokens", "has numbers that are not finite"),
        (Frozen, "gives a gradient to its parameters", "there is none"),
        (AlwaysDropsOut, "gives the same for the same in eval mode", "two passes differ"),
        (CentresTheBatch, "gives a row the same whatever else is in the batch", "row 0 alone and among 3 differ"),
        (HasALambda, "can be pickled", "lambda"),
        (OneTypeOnly, "works under autocast in bfloat16", "RuntimeError"),
        (RemembersOutsideItsState, "gives the same once it is saved and loaded", "differ by"),
        (ForeignBlocks, "says its blocks, which are modules of it", "one of them is none of its modules"),
        (LearnsTwice, "learns the same with gradient checkpointing", "statistics with it and without differ"),
        (DrawsAgain, "learns the same with gradient checkpointing", "without differ"),
        (AnotherClassToken, "gives by encode_class the first of all tokens", "differ by"),
        (AnotherSize, "gives tokens of its embedding_size", "6 it is, not 5"),
        (AnotherGrid, "gives a class token and those of its grid_size", "10 they would be, and 7 they are"),
        (ForgetsTheOrder, "encodes visible patches by encode_visible", "the tokens of all patches and of the picture"),
        (LooksAround, "encodes visible patches by encode_visible", "pixels of hidden patches change the tokens"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_an_image_tower_that_breaks_a_promise(tower: type[nn.Module], promise: str, found: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(BrokenPromiseError, match=f"^image tower {tower.__name__} breaks .*{promise}.*{found}") as told:
        check_image_tower(tower())
    assert "\n" not in str(told.value)


class Words:
    """A tokenizer of 30 ids: the length of each word; 29 is the end."""

    vocabulary_size, mask_id, context_length = 30, 27, 20

    def __call__(self, captions: str | Sequence[str]) -> Tensor:
        captions = [captions] if isinstance(captions, str) else captions
        rows = torch.zeros(len(captions), self.context_length, dtype=torch.int64)
        for row, caption in zip(rows, captions, strict=True):
            ids = [28, *(len(word) for word in caption.split()), 29]
            row[: len(ids)] = torch.tensor(ids)
        return rows

    def words(self, caption: str) -> list[Any]:
        return []


class Running(nn.Module):
    """Keeps every promise: each token is the sum of the words up to it."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 5)

    def forward(self, ids: Tensor) -> Tensor:
        return self.words(ids).cumsum(dim=1)

    def encode_end(self, ids: Tensor) -> Tensor:
        return self(ids)[torch.arange(len(ids)), ids.argmax(dim=1)]


class NoForward(nn.Module):
    pass


class EndsAlone(Running):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids)[torch.arange(len(ids)), ids.argmax(dim=1)]


class TooFew(Running):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids)[:, 1:]

    encode_end = None


class ReadsPadding(Running):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) + self.words(ids).mean(dim=1, keepdim=True)


class FullLengthOnly(Running):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) + torch.zeros(20, 1)


class LastPlace(Running):
    def encode_end(self, ids: Tensor) -> Tensor:
        return self(ids)[:, -1]


class ReadsTheNeighbour(Running):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) + self.words(ids[:1])


def test_a_text_tower_that_keeps_every_promise() -> None:
    check_text_tower(Running(), Words())


@pytest.mark.parametrize(
    ("tower", "promise", "found"),
    [
        (NoForward, "is a module", "it lacks forward"),
        (EndsAlone, "tokens, D. finite float32 tokens", r"for B = 4 their shape is \(4, 5\)"),
        (TooFew, "gives a token for each id", "of 20 ids it makes 19 tokens"),
        (ReadsPadding, "gives the end tokens the same where less padding follows", "the end tokens differ"),
        (FullLengthOnly, "gives the end tokens the same where less padding follows", "RuntimeError"),
        (LastPlace, "gives by encode_end the token at the end among all", "the end tokens differ"),
        (ReadsTheNeighbour, "gives a row the same whatever else is in the batch", "row 1 alone and among 4 differ"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_text_tower_that_breaks_a_promise(tower: type[nn.Module], promise: str, found: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(BrokenPromiseError, match=f"^text tower {tower.__name__} breaks .*{promise}.*{found}") as told:
        check_text_tower(tower(), Words())
    assert "\n" not in str(told.value)
