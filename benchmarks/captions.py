"""Time of tokenizing and of embedding captions beside the usual ways.

    python benchmarks/captions.py [--repeats 3] [--embedded 256]

10,000 captions of SynthPEDES are tokenized by the zoo and by open_clip: the ids must be equal. Training does this once,
before its first step, and keeps the ids. Some of the captions are embedded by CLIP's text tower (random weights), by
length and cut after the longest of a batch, and as usual padded to 77 tokens: the embeddings must be equal to 1e-5.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from side_by_side import Run, assert_equal, choose_device, hardware, measure_in_turns, table
from torch import Tensor

import tipr_zoo
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.evaluation.embedding import embed_captions
from tipr_zoo.synthpedes.identity import identities
from tipr_zoo.synthpedes.records import split_records
from tipr_zoo.tokenizers.clip import CLIPTokenizer

MODEL = "irra_vitb16_cuhk"
PADDED, OURS = "padded to 77", "tipr-zoo"
TOKENIZED = 10_000
BATCH_SIZES = {"cpu": 32, "cuda": 256}  # the zoo's own
TOLERANCE = 1e-5


def synthetic_captions(count: int) -> list[str]:
    """Return captions of SynthPEDES's training split. No picture is drawn."""
    people = identities("train", -(-count // 8))  # four pictures each, with two captions
    annotations = split_records("train", people, {"train": len(people)}, pictures=4, seed=0)
    return [caption for annotation in annotations for caption in annotation["captions"]][:count]


@torch.inference_mode()
def embed_padded(model: DualEncoder, captions: Sequence[str], batch_size: int) -> Tensor:
    """Embed captions in their order, all padded to 77 tokens."""
    device = next(model.parameters()).device
    batches = model.tokenize(captions).split(batch_size)
    embeddings = [model.end_tokens(model.text_encoder(ids), ids) for ids in (ids.to(device) for ids in batches)]
    return torch.cat(embeddings).float().cpu()


def make_tokenizing(way: str, captions: Sequence[str]) -> Run:
    if way == "open_clip":
        import open_clip  # not at the top: it takes seconds

        tokenize = open_clip.get_tokenizer("ViT-B-16")
    else:
        tokenize = CLIPTokenizer()
    return lambda: {"ids": tokenize(captions)}


def make_embedding(way: str, captions: Sequence[str], device: str) -> Run:
    torch.manual_seed(0)
    model = tipr_zoo.build(MODEL, device=device)
    embed = embed_padded if way == PADDED else embed_captions
    return lambda: {"embeddings of unit length": F.normalize(embed(model, captions, BATCH_SIZES[device]), dim=1)}


def lengths(captions: Sequence[str]) -> str:
    counts = (CLIPTokenizer()(captions).argmax(dim=1) + 1).double()
    return f"of {counts.mean():.0f} tokens on average, {counts.min():.0f} to {counts.max():.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="counted runs of each way (default 3)")
    parser.add_argument("--embedded", type=int, default=256, help="captions to embed (default 256)")
    options = parser.parse_args()

    device = choose_device()
    captions = synthetic_captions(TOKENIZED)
    makers = {way: partial(make_tokenizing, way, captions) for way in ("open_clip", OURS)}
    measured = measure_in_turns(makers, options.repeats, "cpu")
    equal = assert_equal(measured, {OURS: 0})
    print(f"tokenizing {TOKENIZED:,} captions, {lengths(captions)}\n{table(measured)}\n{equal}\n")

    captions = captions[: options.embedded]
    makers = {way: partial(make_embedding, way, captions, device) for way in (PADDED, OURS)}
    measured = measure_in_turns(makers, options.repeats, device)
    equal = assert_equal(measured, {OURS: TOLERANCE})
    print(f"embedding {len(captions):,} captions, {lengths(captions)}\n{table(measured)}\n{equal}")
    print(hardware(device))


if __name__ == "__main__":
    main()
