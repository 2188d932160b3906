"""Time and extra memory of FMFA's two costly objectives, forward and backward, beside their plain transcription.

    python benchmarks/fmfa_losses.py [--repeats 3] [--batch 64]

EFA at B = 64, N = 192, L = 77, D = 512, beside the plain form in which the pairs are a broadcast matrix product, and
for comparison the one in which they are one large product. Implicit relation reasoning at the same size, once the
word classifier alone, once the whole head; the towers are left out. Loss and gradients must agree.

Each way runs in a process of its own, and they take turns; on the GPU where there is one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from plain_transcription import (
    broadcast_cosines,
    explicit_fine_grained_alignment,
    implicit_relation_reasoning,
    one_product_cosines,
    word_loss,
    write_out_activations,
)
from side_by_side import Run, assert_equal, choose_device, hardware, measure_in_turns, need_free, table
from tipr_zoo_fmfa.explicit_fine_grained_alignment import ExplicitFineGrainedAlignment
from torch import Tensor, nn

from tipr_zoo.features import Features
from tipr_zoo.heads.implicit_relation_reasoning import ImplicitRelationReasoning

WORDS, PATCHES, WIDTH, VOCABULARY = 77, 192, 512, 49408
CAPTION_LENGTH, MASKED = 30, 0.15  # tokens of an ordinary caption, and the share of them that is masked
TOLERANCE = 1e-4
PLAIN, ONE_PRODUCT, OURS = "plain", "plain, pairs as one product", "tipr-zoo"


class GivenText(nn.Module):
    """A stand-in for the retriever. Its text tower has already run."""

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self.text_encoder = lambda ids: tokens


def tokens(batch: int, device: str) -> tuple[Tensor, Tensor]:
    """Draw text and image tokens that need gradients."""
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(batch, WORDS, WIDTH, generator=generator).to(device)
    image = torch.randn(batch, 1 + PATCHES, WIDTH, generator=generator).to(device)
    return text.requires_grad_(), image.requires_grad_()


def masked_labels(batch: int, device: str) -> Tensor:
    """Draw (B, L) labels like those of masked ordinary captions. The first word of each is always masked."""
    generator = torch.Generator().manual_seed(1)
    masked = torch.rand(batch, WORDS, generator=generator) < MASKED
    masked[:, 0], masked[:, CAPTION_LENGTH - 1 :], masked[:, 1] = False, False, True
    return torch.where(masked, torch.randint(1, VOCABULARY - 3, masked.shape, generator=generator), 0).to(device)


def with_gradients(loss: Callable[[], Tensor], *inputs: Tensor) -> dict[str, Tensor]:
    """Run forward and backward. Return the loss and the gradient of each input."""
    for tensor in inputs:
        tensor.grad = None
    value = loss()
    value.backward()
    return {"loss": value.detach()} | {f"gradient {n}": tensor.grad for n, tensor in enumerate(inputs)}


def alignment(way: str, batch: int, device: str) -> Run:
    """Make a run of explicit fine-grained alignment."""
    text, image = tokens(batch, device)
    features, ours = Features(image, text, image[:, 0], text[:, 0]), ExplicitFineGrainedAlignment()

    def plain(all_cosines: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return explicit_fine_grained_alignment(text, image[:, 1:], all_cosines=all_cosines)

    losses = {
        PLAIN: partial(plain, broadcast_cosines),
        ONE_PRODUCT: partial(plain, one_product_cosines),
        OURS: partial(ours, features, {}),
    }
    return partial(with_gradients, losses[way], text, image)


def word_classifier(way: str, batch: int, device: str) -> Run:
    """Make a run of the end of implicit relation reasoning: the classifier of the masked words."""
    text, _ = tokens(batch, device)
    labels, head = masked_labels(batch, device), make_head(way, device)
    losses = {PLAIN: partial(word_loss, head, text, labels), OURS: partial(head.word_loss, text, labels)}
    return partial(with_gradients, losses[way], text, *head.mlm_head.parameters())


def reasoning(way: str, batch: int, device: str) -> Run:
    """Make a run of all of implicit relation reasoning except the towers."""
    text, image = tokens(batch, device)
    labels, head = masked_labels(batch, device), make_head(way, device)
    features = Features(image, text, image[:, 0], text[:, 0])
    losses = {
        PLAIN: partial(implicit_relation_reasoning, head, text, image, labels),
        OURS: partial(head, features, {"mlm_ids": labels, "mlm_labels": labels}, GivenText(text)),
    }
    return partial(with_gradients, losses[way], text, image, *head.parameters())


def make_head(way: str, device: str) -> ImplicitRelationReasoning:
    """Make a head. It has the same weights every time."""
    torch.manual_seed(0)
    head = ImplicitRelationReasoning(WIDTH, VOCABULARY).to(device)
    if way == PLAIN:
        write_out_activations(head)
    return head


CASES = {
    "explicit fine-grained alignment": (alignment, [PLAIN, ONE_PRODUCT, OURS]),
    "implicit relation reasoning, the word classifier": (word_classifier, [PLAIN, OURS]),
    "implicit relation reasoning, the whole head": (reasoning, [PLAIN, OURS]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="counted runs of each way (default 3)")
    parser.add_argument("--batch", type=int, default=64, help="pairs of a batch (default 64)")
    options = parser.parse_args()

    device = choose_device()
    need_free(2 + 8 * (options.batch / 64) ** 2, device)
    for title, (make, names) in CASES.items():
        makers = {name: partial(make, name, options.batch, device) for name in names}
        measured = measure_in_turns(makers, options.repeats, device)
        equal = assert_equal(measured, {OURS: TOLERANCE})
        print(f"{title}, B = {options.batch}, forward and backward, float32\n{table(measured)}\n{equal}\n")
    print(hardware(device))


if __name__ == "__main__":
    main()
