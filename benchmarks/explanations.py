"""Do the maps of `tipr-zoo explain` show where the score comes from? Hides what each names, and every other part.

    python benchmarks/explanations.py [MODEL ...] [--people 30]

The share is that of the other parts, as large as the named one, whose hiding costs less of the score: half by chance.
Pictures are drawn anew with a seed that no model was trained on, one caption of each.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import torch

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.display.tables import render_table
from tipr_zoo.explaining.explanation import MAPS, explain
from tipr_zoo.explaining.faithfulness import share_beaten
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.synthpedes import draw_synthpedes

MODELS = ("irra_tiny_synth", "sen_tiny_synth", "fmfa_tiny_synth")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--people", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        draw_synthpedes(folder, seed=7, train=2, val=2, test=arguments.people, pictures=2)
        data = open_dataset(folder, split="test")
        firsts = [data.caption_picture_indices.index(picture) for picture in range(len(data.pictures))]
        for name in arguments.models:
            model = tipr_zoo.build(name, pretrained=True)
            for kind in MAPS:
                shares, seconds = [], 0.0
                for index in firsts:
                    picture = open_picture(data.pictures[data.caption_picture_indices[index]])
                    start = time.perf_counter()
                    explanation = explain(model, picture, data.captions[index], map=kind)
                    seconds += time.perf_counter() - start
                    shares.append(share_beaten(model, picture, explanation))
                mean = sum(shares) / len(shares)
                rows.append([name, kind, f"{100 * mean:.1f} %", f"{1000 * seconds / len(shares):.0f}"])
    print(f"{len(firsts)} pictures, one caption each")
    print(render_table(["model", "map", "parts that cost less", "ms an explanation"], rows))


if __name__ == "__main__":
    main()
