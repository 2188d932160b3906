"""check_loss and check_head: a loss that breaks one promise is told by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import BrokenPromiseError, TiprZooError
from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.cosine_similarity import cosine_similarity
from tipr_zoo.testing import check_head, check_loss


class Matching(nn.Module):
    """Keeps every promise: each picture is to be nearer to captions of its identity than to others."""

    needs_patch_tokens = False

    def forward(self, features: Features, batch: Batch) -> Tensor:
        return self.rows(features, batch).mean()

    def rows(self, features: Features, batch: Batch) -> Tensor:
        logits = 5 * cosine_similarity(self.image(features), self.text(features))
        same = batch["pids"].unsqueeze(1) == batch["pids"].unsqueeze(0)
        return -(logits.log_softmax(dim=1) * same).sum(dim=1)

    def image(self, features: Features) -> Tensor:
        return features.image_embedding

    def text(self, features: Features) -> Tensor:
        return features.text_embedding


class NotFinite(Matching):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        return super().forward(features, batch) / 0


class NoScalar(Matching):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        return self.rows(features, batch)


class NoTensor(Matching):
    def forward(self, features: Features, batch: Batch) -> Any:
        return super().forward(features, batch).item()


class FixedPictures(Matching):
    def image(self, features: Features) -> Tensor:
        return features.image_embedding.detach()


class FixedCaptions(Matching):
    def text(self, features: Features) -> Tensor:
        return features.text_embedding.detach()


class ReadsPatches(Matching):
    def image(self, features: Features) -> Tensor:
        return features.image_tokens.mean(dim=1)


class FirstRowsMatterMore(Matching):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        rows = self.rows(features, batch)
        return (rows / (1 + torch.arange(len(rows)))).mean()


class FirstOfAnIdentityMattersMore(Matching):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        same = batch["pids"].unsqueeze(1) == batch["pids"].unsqueeze(0)
        return self.rows(features, batch)[same.float().argmax(dim=1)].mean()


class SaysThatOrderMatters(FirstOfAnIdentityMattersMore):
    depends_on_row_order = True


class AnyOrderMatters(FirstRowsMatterMore):
    depends_on_row_order = True


class OneTypeOnly(Matching):
    def image(self, features: Features) -> Tensor:
        rows = torch.arange(len(features.image_embedding))
        return torch.zeros(features.image_embedding.shape).index_add(0, rows, features.image_embedding)


class RoundedAway(Matching):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        return super().forward(features, batch) * (1.0 if features.image_embedding.dtype == torch.float32 else 3.0)


class MeanOverOthers(Matching):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        others = batch["pids"].unsqueeze(1) != batch["pids"].unsqueeze(0)
        cosines = cosine_similarity(self.image(features), self.text(features))
        return (cosines * others).sum() / others.sum() + super().forward(features, batch)


class WantsADict(Matching):
    def forward(self, features: Features, batch: Any) -> Tensor:
        return super().forward(features, batch.copy())


class ComparesRowsAndCountsThem(Matching):
    @staticmethod
    def count_terms(batch: Batch) -> int:
        return len(batch["pids"])


class CountsWrong(Matching):
    def rows(self, features: Features, batch: Batch) -> Tensor:
        return 1 - torch.cosine_similarity(self.image(features), self.text(features))

    @staticmethod
    def count_terms(batch: Batch) -> int:
        return 1


class CountsRight(CountsWrong):
    @staticmethod
    def count_terms(batch: Batch) -> int:
        return len(batch["pids"])


class HasALambda(Matching):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda: 1


class RemembersOutsideItsState(Matching):
    seen = 0

    def forward(self, features: Features, batch: Batch) -> Tensor:
        if self.training:
            self.seen += 1
        return super().forward(features, batch) + self.seen


class NotFiniteInTraining(Matching):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        return super().forward(features, batch) / (0 if self.training else 1)


class KeepsItsLogits(Matching):
    """For somebody who wants to draw them; a tensor with a graph cannot be copied."""

    def rows(self, features: Features, batch: Batch) -> Tensor:
        self.logits = self.image(features) @ self.text(features).t()
        return super().rows(features, batch)


class RemembersInABuffer(Matching):
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, features: Features, batch: Batch) -> Tensor:
        if self.training:
            self.seen += 1
        return super().forward(features, batch) + self.seen


class Learns(Matching):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, features: Features, batch: Batch, retriever: Any = None) -> Tensor:
        return self.scale * super().forward(features, batch)


class NoForward(nn.Module):
    pass


class Raises(Matching):
    def forward(self, features: Features, batch: Batch) -> Tensor:
        raise KeyError("colour")


@pytest.mark.parametrize("loss", [Matching, SaysThatOrderMatters, CountsRight, RemembersInABuffer, KeepsItsLogits])
def test_a_loss_that_keeps_every_promise(loss: type[nn.Module]) -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    check_loss(loss())
    check_loss(loss(), embedding_size=16)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("loss", "promise", "found"),
    [
        (NotFinite, "gives a finite scalar", "it is not finite"),
        (NoScalar, "gives a finite scalar", r"its shape is \(8,\)"),
        (NoTensor, "gives a finite scalar", "it gives a float"),
        (NotFiniteInTraining, "gives a finite scalar in training mode", "it is not finite"),
        (Raises, "gives a finite scalar", "KeyError: 'colour'"),
        (FixedPictures, "gives a gradient to the image tower", "there is none"),
        (FixedCaptions, "gives a gradient to the text tower", "there is none"),
        (ReadsPatches, "gives the same with patch tokens, as it says it needs none", "both values differ by"),
        (FirstRowsMatterMore, "gives the same in any order of the rows", "the values of two orders differ by"),
        (FirstOfAnIdentityMattersMore, "gives the same in any order of the rows", "differ by"),
        (AnyOrderMatters, "gives the same in any order of the rows", "differ by"),
        (OneTypeOnly, "works under autocast in bfloat16", "RuntimeError"),
        (RoundedAway, "works under autocast in bfloat16", "in float32"),
        (MeanOverOthers, "is finite where a batch shows one identity alone", "it is not finite"),
        (WantsADict, "gives the same for a batch that is spread over several processes", "AttributeError"),
        (ComparesRowsAndCountsThem, "gives the same for a batch that is spread over several", "the value of all"),
        (CountsWrong, "gives the same for a batch that is spread over several processes", "differ by"),
        (HasALambda, "can be pickled", "lambda"),
        (RemembersOutsideItsState, "gives the same once it is saved and loaded", "differ by"),
        (Learns, "is a module without parameters", "it has scale; register it as a head"),
        (NoForward, "is a module without parameters", "it lacks forward"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_loss_that_breaks_a_promise(loss: type[nn.Module], promise: str, found: str) -> None:
    with pytest.raises(
        BrokenPromiseError, match=f"^loss {loss.__name__} breaks a promise .*{promise}.*{found}"
    ) as told:
        check_loss(loss())
    assert "\n" not in str(told.value)
    assert isinstance(told.value, AssertionError)
    assert isinstance(told.value, TiprZooError)


def test_a_callable_that_is_no_module() -> None:
    with pytest.raises(BrokenPromiseError, match=r"it is no torch\.nn\.Module"):
        check_loss(lambda features, batch: features.image_embedding.sum())  # type: ignore[arg-type]


class FixedWords(Learns):
    def text(self, features: Features) -> Tensor:
        return features.text_embedding.detach()


class NeedsMore(Learns):
    needs_of_image_tower = ("grid_size", "attention")


class ForgetsItsScale(Learns):
    """What it learns is no parameter once it has been saved."""

    def state_dict(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        return {"scale": torch.ones(())}


class KeepsTheModel(Learns):
    """The model would then be saved inside its own head."""

    def forward(self, features: Features, batch: Batch, retriever: Any = None) -> Tensor:
        self.retriever = retriever
        return super().forward(features, batch)


class RunsATowerAgain(Learns):
    def text(self, features: Features) -> Tensor:
        return self.retriever.end_tokens(self.retriever.text_encoder(self.ids), self.ids)

    def forward(self, features: Features, batch: Batch, retriever: Any = None) -> Tensor:
        object.__setattr__(self, "retriever", retriever)
        object.__setattr__(self, "ids", batch["caption_ids"])
        return super().forward(features, batch)


@pytest.mark.parametrize("head", [Learns, RunsATowerAgain])
def test_a_head_that_keeps_every_promise(head: type[nn.Module], tiny_model: DualEncoder) -> None:
    before = {name: value.clone() for name, value in tiny_model.state_dict().items()}
    check_head(head(), tiny_model)
    for name, value in tiny_model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("head", "promise", "found"),
    [
        (FixedWords, "gives a gradient to the text tower", "there is none"),
        (NeedsMore, "fits the towers of the model", "lacks attention, which NeedsMore"),
        (KeepsTheModel, "gives the same once it is saved and loaded", "a call adds retriever"),
        (ForgetsItsScale, "gives the same once it is saved and loaded", "differ by"),
        (NoForward, "is a module", "it lacks forward"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_head_that_breaks_a_promise(head: type[nn.Module], promise: str, found: str, tiny_model: DualEncoder) -> None:
    with pytest.raises(BrokenPromiseError, match=f"^head {head.__name__} breaks .* that it {promise}: .*{found}"):
        check_head(head(), tiny_model)


def test_the_heads_of_a_model(tiny_zoo: Path, tiny_model: DualEncoder) -> None:
    for head in tiny_model.heads.values():
        check_head(head, tiny_model)
