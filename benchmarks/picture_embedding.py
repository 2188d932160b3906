"""Time of embedding pictures with a ViT-B/16 at 384 x 128, beside the plain way: PyTorch's products, every token.

    python benchmarks/picture_embedding.py [--repeats 3] [--batch 8]

Both run the same tower with the same (random) weights. The embeddings must be equal, those in bfloat16 within 2 %. Each
way runs in a process of its own, and they take turns.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from plain_transcription import write_out_activations
from side_by_side import Run, assert_equal, choose_device, hardware, has_bfloat16, measure_in_turns, need_free, table
from torch import Tensor

import tipr_zoo
from tipr_zoo.machine import linear_products

MODEL = "irra_vitb16_cuhk"
PLAIN = "plain, float32"
WAYS = {PLAIN: torch.float32, "tipr-zoo, float32": torch.float32, "tipr-zoo, bfloat16": torch.bfloat16}
TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 2e-2}


def make_run(way: str, size: int, device: str) -> Run:
    """Make the embedding of one batch, with its model."""
    torch.manual_seed(0)
    model = tipr_zoo.build(MODEL, device=device)
    images = torch.randn(size, 3, *model.image_size, device=device)
    if way == PLAIN:
        write_out_activations(model)
        linear_products.take("torch")

    @torch.inference_mode()
    def run() -> dict[str, Tensor]:
        if way == PLAIN:
            return {"embeddings": model.image_encoder(images)[:, 0]}
        with torch.autocast(device, dtype=WAYS[way], enabled=WAYS[way] != torch.float32):
            return {"embeddings": model.encode_image(images).float()}

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="counted runs of each way (default 3)")
    parser.add_argument("--batch", type=int, default=8, help="pictures of a batch (default 8)")
    options = parser.parse_args()

    device = choose_device()
    need_free(4, device)
    names = [name for name, dtype in WAYS.items() if dtype == torch.float32 or has_bfloat16(device)]
    measured = measure_in_turns(
        {name: partial(make_run, name, options.batch, device) for name in names}, options.repeats, device
    )
    equal = assert_equal(measured, {name: TOLERANCES[WAYS[name]] for name in names[1:]})
    print(f"{options.batch} pictures embedded by {MODEL}\n{table(measured)}\n{equal}\n{hardware(device)}")


if __name__ == "__main__":
    main()
