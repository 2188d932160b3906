"""Time of embedding pictures under bfloat16 autocast beside float32, and what it changes in R1.

    python benchmarks/pictures.py [--repeats 3] [--embedded 16] [--data DIR]

Time is taken at ViT-B/16 and 384 x 128 with random weights. R1 is that of the shipped tiny model on the test split of
SynthPEDES, with its pictures embedded in float32 and under autocast; the captions stay in float32. The split is drawn
into DIR, by default into the cache folder, if it is not there.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from side_by_side import Run, choose_device, hardware, has_bfloat16, measure_in_turns, table
from torch import Tensor

import tipr_zoo
from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.datasets import open_dataset
from tipr_zoo.errors import WeightsError
from tipr_zoo.evaluation.embedding import embed_captions, embed_pictures
from tipr_zoo.evaluation.metrics import retrieval_metrics_from_embeddings
from tipr_zoo.synthpedes import draw_synthpedes

TIMED, MEASURED = "irra_vitb16_cuhk", "irra_tiny_synth"
AUTOCAST = {"float32": False, "bfloat16": True}


def make_embedding(precision: str, count: int, device: str) -> Run:
    torch.manual_seed(0)
    model = tipr_zoo.build(TIMED, device=device)
    images = torch.randn(count, 3, *model.image_size, generator=torch.Generator().manual_seed(0)).to(device)

    @torch.inference_mode()
    def embed() -> dict[str, Tensor]:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=AUTOCAST[precision]):
            return {"embeddings": model.encode_image(images).float()}

    return embed


def compare_times(count: int, repeats: int, device: str) -> None:
    makers = {precision: partial(make_embedding, precision, count, device) for precision in AUTOCAST}
    measured = measure_in_turns(makers, repeats, device)
    exact, rounded = (torch.from_numpy(way.results["embeddings"]) for way in measured.values())
    cosine = F.cosine_similarity(exact, rounded).min()
    print(f"embedding {count} pictures with {TIMED}\n{table(measured)}")
    print(f"lowest cosine of an embedding in bfloat16 with that in float32: {cosine:.5f}\n")


def compare_recall(folder: Path, device: str) -> None:
    try:
        model = tipr_zoo.build(MEASURED, pretrained=True, device=device)
    except WeightsError as error:
        print(f"R1 was not measured: {error}")
        return
    draw_synthpedes(folder, splits=("test",))
    dataset = open_dataset(folder, split="test")
    captions = embed_captions(model, dataset.captions)
    recall = []
    for autocast in AUTOCAST.values():
        with torch.autocast(device, dtype=torch.bfloat16, enabled=autocast):
            pictures = embed_pictures(model, dataset.pictures)
        ids = dataset.caption_ids, dataset.picture_ids
        recall.append(retrieval_metrics_from_embeddings(captions, pictures, *ids)["R1"])
    exact, rounded = recall
    print(f"R1 of {MEASURED} on SynthPEDES: {exact:.2f} with pictures embedded in float32, {rounded:.2f} in bfloat16")
    print(f"change: {rounded - exact:+.2f} points")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="counted runs of each precision (default 3)")
    parser.add_argument("--embedded", type=int, default=16, help="pictures of which the time is taken (default 16)")
    parser.add_argument("--data", type=Path, help="folder of SynthPEDES with seed 0 (default: in the cache folder)")
    options = parser.parse_args()

    device = choose_device()
    if not has_bfloat16(device):
        print("this processor has no bfloat16 instructions: nothing was measured")
        return
    compare_times(options.embedded, options.repeats, device)
    compare_recall(options.data or cache_folder() / "data" / "synthpedes_seed0_test", device)
    print(hardware(device))


if __name__ == "__main__":
    main()
