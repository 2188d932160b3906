"""Pictures a second, on one core, that training and evaluation read, beside torchvision's usual path.

    python benchmarks/data_path.py [--rounds 7] [--pictures 200] [--large 12]

Pictures of SynthPEDES are scaled to the sizes of CUHK-PEDES's (60 to 250 wide), and some to 800 x 1600, with the noise
of a camera, and saved as JPEGs of quality 90. The usual way is PIL, torchvision's transforms, CLIP's tokenizer of
open_clip and a loop that masks token by token, once for each caption; the zoo's is `TrainingPairs`, which tokenizes
once, before its first pair. A figure is the median over rounds, in which both ways take turns in one process and one
thread, by the processor's time, with the files in the system's cache. Pictures for evaluation must be equal to the last
bit. Of the stages, the zoo's "resize" ends with a tensor, torchvision's with a PIL picture.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from prettytable import PrettyTable
from side_by_side import hardware
from torch import Tensor
from torch.utils.data import default_collate
from torchvision import transforms

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.pictures.preprocessing import resize_picture
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.training.pairs.augmentation import Augmentation
from tipr_zoo.training.pairs.caption_masking import mask_caption
from tipr_zoo.training.pairs.pairs import TrainingPairs, collate_trimmed_pairs

MODEL = "irra_vitb16_cuhk"
QUALITY, NOISE, BATCH_SIZE = 90, 5.0, 64
PICTURES, CAPTIONS = 4, 2  # of an identity, and of a picture
NEEDED = 300
"""Pictures a second that one GPU is assumed to need."""

MASK_ID = 49405

Pair = Mapping[str, Tensor]


@dataclass(frozen=True)
class Way:
    """One way to make the same pairs.

    Attributes:
        decode: The number of a caption -> its picture.
        resize: That picture -> the picture in the model's size.
        augment: A resized picture -> the picture for training.
        caption: The number of a caption -> its ids, masked ids and labels.
        pair: The number of a caption -> its whole pair.
        collate: Pairs -> a batch.
        evaluated: A file -> its picture for evaluation.
    """

    decode: Callable[[int], Image.Image]
    resize: Callable[[Image.Image], Any]
    augment: Callable[[Any], Tensor]
    caption: Callable[[int], object]
    pair: Callable[[int], Pair]
    collate: Callable[[list[Any]], object]
    evaluated: Callable[[Path], Tensor]


def usual_way(dataset: PersonDataset, model: DualEncoder, tokenize: Callable[[str], Tensor]) -> Way:
    mean, std = model.normalisation.mean, model.normalisation.std
    resize = transforms.Resize(model.image_size)
    normalise = [transforms.ToTensor(), transforms.Normalize(mean, std)]
    move = [transforms.RandomHorizontalFlip(0.5), transforms.Pad(10), transforms.RandomCrop(model.image_size)]
    augment = transforms.Compose([*move, *normalise, transforms.RandomErasing(scale=(0.02, 0.4), value=mean)])
    prepare = transforms.Compose([resize, *normalise])
    of_caption = dataset.caption_picture_indices

    def decode(index: int) -> Image.Image:
        return Image.open(dataset.pictures[of_caption[index]]).convert("RGB")

    def caption(index: int) -> Pair:
        ids = tokenize(dataset.captions[index])[0]
        masked, labels = mask_in_a_loop(ids)
        return {"caption_ids": ids, "mlm_ids": masked, "mlm_labels": labels}

    def pair(index: int) -> Pair:
        pid = torch.tensor(dataset.labels[of_caption[index]])
        return {"images": augment(resize(decode(index))), "pids": pid, **caption(index)}

    def evaluated(path: Path) -> Tensor:
        return prepare(Image.open(path).convert("RGB"))

    return Way(decode, resize, augment, caption, pair, default_collate, evaluated)


def mask_in_a_loop(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Mask the tokens of a caption one by one, like BERT."""
    masked, labels = ids.tolist(), [0] * len(ids)
    for index, token in enumerate(masked):
        if not 0 < token < MASK_ID or random.random() >= 0.15:
            continue
        labels[index], kind = token, random.random()
        if kind < 0.8:
            masked[index] = MASK_ID
        elif kind < 0.9:
            masked[index] = random.randrange(1, MASK_ID)
    return torch.tensor(masked), torch.tensor(labels)


def way_of_the_zoo(dataset: PersonDataset, model: DualEncoder) -> Way:
    augmentation, generator = Augmentation(), torch.Generator().manual_seed(0)
    pairs = TrainingPairs(dataset, model, augmentation, seed=0, masking=True)
    of_caption = dataset.caption_picture_indices
    return Way(
        decode=lambda index: open_picture(dataset.pictures[of_caption[index]]),
        resize=lambda picture: resize_picture(picture, model.image_size),
        augment=lambda pixels: augmentation(pixels, model.normalisation, generator),
        caption=lambda index: mask_caption(pairs.caption_ids[index], model.tokenize, generator),
        pair=lambda index: pairs[0, index],
        collate=collate_trimmed_pairs,
        evaluated=lambda path: model.preprocess(open_picture(path)),
    )


def runs_of(way: Way, dataset: PersonDataset) -> dict[str, Callable[[], None]]:
    """Return the runs of each stage and of the whole. Each run takes every picture once."""
    indices = range(0, len(dataset.captions), CAPTIONS)
    decoded = [way.decode(index) for index in indices]
    resized = [way.resize(picture) for picture in decoded]

    def in_batches() -> None:
        for start in range(0, len(indices), BATCH_SIZE):
            way.collate([way.pair(index) for index in indices[start : start + BATCH_SIZE]])

    return {
        "decode": lambda: for_each(way.decode, indices),
        "resize": lambda: for_each(way.resize, decoded),
        "augment, normalise": lambda: for_each(way.augment, resized),
        "tokenize*, mask": lambda: for_each(way.caption, indices),
        "training, in batches": in_batches,
        "evaluation": lambda: for_each(way.evaluated, dataset.pictures),
    }


def for_each(stage: Callable[[Any], object], items: Iterable[Any]) -> None:
    for item in items:
        stage(item)


def compare(dataset: PersonDataset, usual: Way, zoo: Way, rounds: int) -> PrettyTable:
    """Compare the pictures a second of both ways, for each stage and for the whole."""
    of_usual, of_zoo = runs_of(usual, dataset), runs_of(zoo, dataset)
    columns = ["torchvision (pictures/s)", "tipr-zoo (pictures/s)", "times faster", f"cores for {NEEDED} pictures/s"]
    rows = PrettyTable(["on one core", *columns], align="r")
    rows.align["on one core"] = "l"
    for name in of_usual:
        seconds = in_turns((of_usual[name], of_zoo[name]), rounds)
        theirs, ours = (len(dataset.pictures) / statistics.median(of_way) for of_way in seconds)
        rows.add_row([name, f"{theirs:,.0f}", f"{ours:,.0f}", f"{ours / theirs:.2f}", f"{NEEDED / ours:.2f}"])
    return rows


def in_turns(runs: Iterable[Callable[[], None]], rounds: int) -> list[list[float]]:
    """Return the processor's seconds of each run in each round. The first round is not counted."""
    runs = list(runs)
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds + 1):
        for run, of_run in zip(runs, seconds, strict=True):
            start = time.process_time()
            run()
            of_run.append(time.process_time() - start)
    return [of_run[1:] for of_run in seconds]


def tokenized(dataset: PersonDataset, model: DualEncoder) -> float:
    """Return the captions a second of the zoo's tokenizer. The rounds do not count this time."""
    start = time.process_time()
    model.tokenize(dataset.captions)
    return len(dataset.captions) / (time.process_time() - start)


def assert_same_pixels(dataset: PersonDataset, usual: Way, zoo: Way) -> str:
    differing = [path for path in dataset.pictures if not torch.equal(usual.evaluated(path), zoo.evaluated(path))]
    assert not differing, f"{len(differing)} pictures differ, the first being {differing[0]}"
    return f"{len(dataset.pictures)} pictures for evaluation are equal to the last bit"


def draw_pictures(folder: Path, count: int, size: Callable[[np.random.Generator], tuple[int, int]]) -> PersonDataset:
    """Draw SynthPEDES. Each picture is scaled to a drawn `size` (width and height), and noise is added."""
    draw_synthpedes(folder, train=-(-count // PICTURES), pictures=PICTURES, splits=("train",), workers=1)
    dataset = open_dataset(folder, split="train")
    generator = np.random.default_rng(0)
    for path in dataset.pictures:
        with Image.open(path) as drawn:
            scaled = drawn.convert("RGB").resize(size(generator), Image.Resampling.BICUBIC)
        pixels = np.asarray(scaled) + generator.normal(0, NOISE, (scaled.height, scaled.width, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)
    return dataset


def size_in_cuhk_pedes(generator: np.random.Generator) -> tuple[int, int]:
    width = int(generator.integers(60, 251))
    return width, int(np.clip(width * generator.uniform(2.2, 3.4), 150, 800))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="counted rounds of each way (default 7)")
    parser.add_argument("--pictures", type=int, default=200, help="pictures of the sizes of CUHK-PEDES (default 200)")
    parser.add_argument("--large", type=int, default=12, help="pictures of 800 x 1600 (default 12)")
    options = parser.parse_args()

    import open_clip  # takes seconds

    torch.set_num_threads(1)
    tokenize = open_clip.get_tokenizer("ViT-B-16")
    model = tipr_zoo.build(MODEL)
    groups = {
        "60 to 250 pixels wide": (options.pictures, size_in_cuhk_pedes),
        "of 800 x 1600 pixels": (options.large, lambda _: (800, 1600)),
    }
    for name, (count, size) in groups.items():
        with tempfile.TemporaryDirectory() as folder:
            dataset = draw_pictures(Path(folder) / "synthpedes", count, size)
            usual, zoo = usual_way(dataset, model, tokenize), way_of_the_zoo(dataset, model)
            kilobytes = statistics.mean(path.stat().st_size for path in dataset.pictures) / 1000
            height, width = model.image_size
            print(f"{len(dataset.pictures)} JPEGs {name} and {kilobytes:.0f} kB on average, to {width} x {height}")
            print(compare(dataset, usual, zoo, options.rounds))
            print(f"* tipr-zoo tokenizes once, before the first pair: {tokenized(dataset, model):,.0f} captions/s")
            print(f"{assert_same_pixels(dataset, usual, zoo)}\n")
    print(hardware("cpu"))


if __name__ == "__main__":
    main()
