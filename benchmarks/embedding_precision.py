"""What bfloat16 changes in the embeddings of pictures, and what it gains.

    python benchmarks/embedding_precision.py [--data data/synthpedes] [--pictures 128]

R1 of every tiny model on the test split of SynthPEDES, with its pictures embedded in float32 and in bfloat16. Then a
ViT-B/16 at 384 x 128 with random weights over some of the same pictures: how near its embeddings are in both, how many
of the ten nearest pictures of each are the same, and pictures a second, beside decoding and resizing alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import tipr_zoo
from tipr_zoo.datasets import SynthPEDES
from tipr_zoo.evaluation.embedding import embed_captions
from tipr_zoo.gallery.picture_contents import Crops
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings, embedded_batches, unit_vectors
from tipr_zoo.synthpedes import draw_synthpedes

TINY = ("irra", "fmfa", "sen", "tbps_clip", "rde", "rasa")
LARGE = "irra_vitb16_cuhk"
PRECISIONS = ("float32", "bfloat16")
R1_LIMIT = 0.2
"""Points of R1 that bfloat16 may cost."""

Vectors = npt.NDArray[np.float32]


def embedded(model: Any, paths: Sequence[Path], precision: str) -> tuple[Vectors, float]:
    """Embed pictures as a gallery does: (G, D) of unit length, and pictures a second."""
    settings = EmbeddingSettings(workers=0, precision=precision)
    begin = time.perf_counter()
    crops = Crops([(str(path), None) for path in paths], model)
    vectors = np.concatenate([batch.vectors for batch in embedded_batches(crops, settings)])
    return vectors, len(paths) / (time.perf_counter() - begin)


def tiny_rows(split: SynthPEDES) -> None:
    """Print R1 of every tiny model in both precisions."""
    people, wanted = np.asarray(split.picture_ids), np.asarray(split.caption_ids)
    print(f"{'model':24} {'R1 float32':>10} {'R1 bfloat16':>11} {'difference':>10} {'least cosine':>12}")
    for method in TINY:
        model = tipr_zoo.build(f"{method}_tiny_synth", pretrained=True)
        captions = unit_vectors(embed_captions(model, split.captions).numpy(), "the captions")
        vectors = {precision: embedded(model, split.pictures, precision)[0] for precision in PRECISIONS}
        found = {
            name: 100 * float((people[(captions @ own.T).argmax(1)] == wanted).mean()) for name, own in vectors.items()
        }
        cosine = float((vectors["float32"] * vectors["bfloat16"]).sum(1).min())
        change = found["bfloat16"] - found["float32"]
        told = "" if abs(change) <= R1_LIMIT else f"  more than {R1_LIMIT} points"
        print(f"{method + '_tiny_synth':24} {found['float32']:10.2f} {found['bfloat16']:11.2f} {change:+10.2f}", end="")
        print(f" {cosine:12.6f}{told}", flush=True)


def large_rows(paths: Sequence[Path]) -> None:
    """Print what a large tower's embeddings differ by, and pictures a second."""
    torch.manual_seed(0)
    model: Any = tipr_zoo.build(LARGE)
    begin = time.perf_counter()
    crops = Crops([(str(path), None) for path in paths], model)
    for number in range(len(crops)):
        crops[number]
    print(f"\n{LARGE}, random weights, {len(paths)} pictures: pictures a second")
    print(f"{'decoding and resizing alone':30} {len(paths) / (time.perf_counter() - begin):8.1f}")
    vectors = {}
    for precision in PRECISIONS:
        embedded(model, paths[:8], precision)
        vectors[precision], speed = embedded(model, paths, precision)
        print(f"{precision:30} {speed:8.1f}", flush=True)
    cosine = (vectors["float32"] * vectors["bfloat16"]).sum(1)
    nearest = {name: (own @ own.T - 2 * np.eye(len(own))).argsort(1)[:, -10:] for name, own in vectors.items()}
    pairs = zip(nearest["float32"], nearest["bfloat16"], strict=True)
    shared = [len(set(one) & set(other)) / 10 for one, other in pairs]
    print(f"cosine of both embeddings: least {cosine.min():.6f}, mean {cosine.mean():.6f}")
    print(f"of the ten nearest pictures in float32, {100 * np.mean(shared):.1f} % are among those in bfloat16")


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/synthpedes"), help="SynthPEDES; drawn if it is missing")
    parser.add_argument("--pictures", type=int, default=128, help="pictures for the large tower (default 128)")
    options = parser.parse_args()
    if not options.data.exists():
        draw_synthpedes(options.data)
    split = SynthPEDES(options.data)
    tiny_rows(split)
    large_rows(split.pictures[: options.pictures])


if __name__ == "__main__":
    main()
