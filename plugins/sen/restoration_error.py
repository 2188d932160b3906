"""Does restoration follow the words? The squared error of hidden patches with a picture's own caption and with others.

    python plugins/sen/restoration_error.py [MODEL] --data DIR

DIR is what `tipr-zoo data synth DIR --splits test` draws. Every picture of the test split is restored with a caption of
its person and with one of another person, the same patches hidden. Beside that stands the error of restoring every
picture as the mean of them all, which needs neither words nor the patches that are seen.
"""

from __future__ import annotations

import argparse

import torch
from tipr_zoo_sen.text_guided_restoration import patchify
from torch import Tensor

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.pictures.files import open_picture

BATCH = 100


@torch.inference_mode()
def hidden_error(model: DualEncoder, pictures: Tensor, captions: list[str], noise: Tensor) -> float:
    """Return the mean squared error of the hidden patches, in normalised colours."""
    head, errors = model.heads["tir"], []
    for start in range(0, len(pictures), BATCH):
        part = pictures[start : start + BATCH]
        ids = model.tokenize(captions[start : start + BATCH])
        restored, hidden = head.restore_pictures(part, ids, model, noise[start : start + BATCH])
        patches = [patchify(images, head.patch_size) for images in (restored, part)]
        errors.append((patches[0] - patches[1]).square().mean(dim=2)[hidden])
    return float(torch.cat(errors).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="sen_tiny_restoring_synth", help="a model with its weights")
    parser.add_argument("--data", required=True, help="the data set's folder")
    options = parser.parse_args()

    model = tipr_zoo.build(options.model, pretrained=True)
    dataset = open_dataset(options.data, split="test")
    caption_of = dict(zip(reversed(dataset.caption_ids), reversed(dataset.captions), strict=True))
    own = [caption_of[identity] for identity in dataset.picture_ids]
    half = len(own) // 2  # in the other half of the split: another person, and not the near twin
    pictures = torch.stack([model.preprocess(open_picture(path)) for path in dataset.pictures])
    grid = model.image_encoder.grid_size
    noise = torch.rand(len(pictures), 1 + grid[0] * grid[1], generator=torch.Generator().manual_seed(0))
    with_own = hidden_error(model, pictures, own, noise)
    with_other = hidden_error(model, pictures, own[half:] + own[:half], noise)
    with_mean = float((pictures - pictures.mean(dim=0)).square().mean())
    print(f"{options.model}, {len(pictures)} pictures; mean squared error of what was hidden")
    print(f"restored with a caption of the person:     {with_own:.3f}")
    print(f"restored with a caption of another person: {with_other:.3f}")
    print(f"the mean picture in every place:           {with_mean:.3f}")


if __name__ == "__main__":
    main()
