"""Pairs a second of RaSa's cross-encoder at ViT-B/16 and BERT-base, beside the plain loop.

    python benchmarks/reranking.py [--captions 64] [--pictures 8] [--repeats 3]

Every caption is scored with the same pictures, as if they were the best of each. The plain way is that of the
published code: for each caption, its tokens are padded to 50 and repeated for each picture, all tokens of the pictures
are attended to, and keys and values are computed for each pair; all layers compute all tokens. The zoo goes through the
pictures, whose keys and values it computes once for a group of captions, which are grouped by length. Both
begin with the tokens of pictures and captions. The scores must be equal: in float32 to 1e-4, in bfloat16 (under
autocast) to 5 % of their length. The zoo must be at least 1.5 times as fast in float32, and 3 times in bfloat16, both
beside the plain way in float32.

On a machine with other work the times mean nothing.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from side_by_side import Run, assert_equal, choose_device, hardware, has_bfloat16, measure_in_turns, need_free, table
from torch import Tensor
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer

from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.models.retriever_building import build_retriever

MODEL, LENGTH = "rasa_vitb16_cuhk", 50
PLAIN, OURS, OURS_HALF = "plain loop, float32", "tipr-zoo, float32", "tipr-zoo, bfloat16"
PLAIN_HALF = "plain loop, bfloat16"
WAYS = {PLAIN: torch.float32, OURS: torch.float32, PLAIN_HALF: torch.bfloat16, OURS_HALF: torch.bfloat16}
TOLERANCES = {OURS: 1e-4, PLAIN_HALF: 5e-2, OURS_HALF: 5e-2}
LIMITS = {OURS: 1.5, OURS_HALF: 3.0}
GROUPS = 4
"""In CUHK-PEDES a picture is among the best 128 of 256 captions on average: four batches of 64, by length."""


def inputs(captions: int, pictures: int, device: str) -> tuple[object, Tensor, Tensor, Tensor]:
    """Make the model, (C, L) ids of captions of 12 to 50 tokens, and tokens of captions and of pictures."""
    torch.manual_seed(0)
    import_plugin("rasa")
    model = build_retriever(load_recipe(load_card(MODEL)).model).to(device).eval()
    ids = torch.zeros(captions, LENGTH, dtype=torch.int64)
    for row, count in enumerate(torch.randint(12, LENGTH + 1, (captions,)).tolist()):
        ids[row, :count] = torch.randint(1000, 30000, (count,))
    ids = ids.to(device)
    picture_tokens = torch.randn(pictures, 577, 768, device=device)
    with torch.no_grad():
        return model, ids, model.encode_caption_tokens(ids), picture_tokens


def plain(captions: int, pictures: int, device: str, dtype: torch.dtype) -> Run:
    """The published code's loop, with transformers' layers run as they come."""
    model, ids, tokens, picture_tokens = inputs(captions, pictures, device)
    config = BertConfig(is_decoder=True, add_cross_attention=True)
    config._attn_implementation = "sdpa"
    layers = torch.nn.ModuleList(BertLayer(config) for _ in model.fusion_encoder.layer).to(device).eval()
    layers.load_state_dict(model.fusion_encoder.layer.state_dict())
    hidden = torch.zeros(captions, 1, 1, LENGTH, device=device).masked_fill((ids == 0)[:, None, None], -1e4)

    @torch.no_grad()
    def run() -> dict[str, Tensor]:
        scores = []
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            for row in range(captions):
                state = tokens[row].expand(pictures, -1, -1)
                mask = hidden[row].expand(pictures, -1, LENGTH, -1)
                for layer in layers:
                    found = layer(state, attention_mask=mask, encoder_hidden_states=picture_tokens)
                    state = found if isinstance(found, Tensor) else found[0]
                scores.append(model.matching_head(state[:, 0])[:, 1])
        return {"scores": torch.stack(scores).float()}

    return run


def ours(captions: int, pictures: int, device: str, dtype: torch.dtype) -> Run:
    """Picture by picture, with the captions by length in `GROUPS` groups, as the evaluation does it."""
    model, ids, tokens, picture_tokens = inputs(captions, pictures, device)
    lengths = (ids != 0).sum(1)
    cut = []
    for rows in lengths.argsort(stable=True).split(max(1, captions // GROUPS)):
        longest = int(lengths[rows].max())
        seen = (ids[rows, :longest] != 0).unsqueeze(2)
        cut.append((rows, ids[rows, :longest], tokens[rows, :longest] * seen))

    @torch.no_grad()
    def run() -> dict[str, Tensor]:
        scores = torch.zeros(captions, pictures, device=device)
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            for number, picture in enumerate(picture_tokens):
                for rows, own, words in cut:
                    scores[rows, number] = model.score_captions(own, words, picture).float()
        return {"scores": scores}

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    device = choose_device()
    need_free(6, device)
    kinds = {name: dtype for name, dtype in WAYS.items() if dtype == torch.float32 or has_bfloat16(device)}
    makers = {
        name: partial(
            plain if name.startswith("plain") else ours, arguments.captions, arguments.pictures, device, dtype
        )
        for name, dtype in kinds.items()
    }
    measured = measure_in_turns(makers, arguments.repeats, device)
    pairs = arguments.captions * arguments.pictures
    print(f"{hardware(device)}; {arguments.captions} captions with {arguments.pictures} pictures each")
    print(table(measured))
    for name, each in measured.items():
        print(f"{name}: {pairs / min(each.seconds):.0f} pairs a second")
    print(assert_equal(measured, {name: limit for name, limit in TOLERANCES.items() if name in measured}))
    usual = min(measured[PLAIN].seconds)
    for name, limit in LIMITS.items():
        if name in measured:
            found = usual / min(measured[name].seconds)
            assert found >= limit, (
                f"{name}: {found:.2f} times as fast as the plain loop, at least {limit:g} are asked for"
            )


if __name__ == "__main__":
    main()
