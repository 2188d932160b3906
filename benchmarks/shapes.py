"""How much is lost on pictures that are not of a person's shape? Pictures are filled up with their mean colour.

    python benchmarks/shapes.py [MODEL ...] [--data DIR] [--people 200]

A picture that is too wide or too high is pressed into the shape that the model takes, and the person in it, too.
Without --data, people are drawn anew with a seed that no model was trained on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.display.tables import Cell, render_table
from tipr_zoo.evaluation.embedding import embed_captions
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.synthpedes import draw_synthpedes

MODELS = ("irra_tiny_synth", "sen_tiny_restoring_synth")

SHAPES = (6.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.25, 1.0, 0.75)
"""How many times as high as wide."""


def filled_up(picture: Image.Image, shape: float) -> Image.Image:
    """Return the picture in the middle of a canvas of another shape."""
    width, height = picture.size
    size = (round(height / shape), height) if height > width * shape else (width, round(width * shape))
    canvas = Image.new("RGB", size, picture.resize((1, 1)).getpixel((0, 0)))
    canvas.paste(picture, ((size[0] - width) // 2, (size[1] - height) // 2))
    return canvas


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--people", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[list[Cell]] = []
    with tempfile.TemporaryDirectory() as folder:
        if arguments.data is None:
            draw_synthpedes(folder, seed=1, train=2, val=2, test=arguments.people, splits=("test",))
        data = open_dataset(arguments.data or folder, split="test")
        pictures = [open_picture(path) for path in data.pictures]
    persons, people = torch.tensor(data.picture_ids), torch.tensor(data.caption_ids)
    for name in arguments.models:
        model = tipr_zoo.build(name, pretrained=True)
        captions = F.normalize(embed_captions(model, data.captions), dim=-1)
        figures: list[Cell] = [name]
        for shape in SHAPES:
            images = [model.preprocess(filled_up(picture, shape)) for picture in pictures]
            batches = (torch.stack(images[start : start + 64]) for start in range(0, len(images), 64))
            found = torch.cat([model.encode_image(batch) for batch in batches])
            best = (captions @ F.normalize(found, dim=-1).T).argmax(1)
            figures.append(f"{100 * (persons[best] == people).float().mean().item():.1f}")
        rows.append(figures)
    print(f"R1 of {len(data.captions)} captions, {len(data.pictures)} pictures, by height / width")
    print(render_table(["model", *(f"{shape:g}" for shape in SHAPES)], rows))


if __name__ == "__main__":
    main()
