"""What each step of post-processing brings on every tiny model with weights, and what it costs.

    python benchmarks/postprocessing.py [--seeds 0 1] [--people 200] [--models NAME ...] [--markdown]

SynthPEDES is drawn once for each seed of the data, its test split alone. The figures are means over these seeds; those
of a step are differences from the figures without it. Seconds are those of the step and of ranking with it; of flip
averaging they contain embedding the mirrored pictures. Steps and their combinations have the usual settings.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from tipr_zoo.cards.index import card_index
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.display.tables import Cell, render_table
from tipr_zoo.evaluation.embedding import embed_dataset, embed_pictures
from tipr_zoo.evaluation.first_stage import FirstStage
from tipr_zoo.evaluation.loaded_model import load_model
from tipr_zoo.evaluation.postprocessing import STEPS, parse_steps, postprocessed
from tipr_zoo.evaluation.query_figures import figures_of_queries
from tipr_zoo.evaluation.split_embeddings import Embeddings, directed_ids
from tipr_zoo.protocols import Retriever
from tipr_zoo.synthpedes import draw_synthpedes

VARIANTS: tuple[tuple[str, ...], ...] = (
    (),
    ("flip_averaging",),
    ("query_expansion:count=1",),
    ("query_expansion",),
    ("query_expansion:count=5,alpha=3",),
    ("k_reciprocal",),
    ("dual_softmax",),
    ("dual_softmax:scale=20",),
    ("flip_averaging", "dual_softmax"),
)
"""The steps that are measured together; the first row is the model alone."""


def tiny_models() -> list[str]:
    """Every model of the zoo whose weights were trained on SynthPEDES and lie beside its card."""
    cards = card_index().cards.values()
    return sorted(card.name for card in cards if card.weights and card.datasets == ("SynthPEDES",))


@contextmanager
def drawn(seeds: list[int], people: int) -> Iterator[list[PersonDataset]]:
    """The test splits of SynthPEDES with these seeds, while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        splits = []
        for seed in seeds:
            place = Path(folder) / str(seed)
            draw_synthpedes(place, seed=seed, test=people, splits=("test",))
            splits.append(open_dataset(str(place), split="test"))
        yield splits


def measured(
    embeddings: Embeddings, mirrored: Callable[[], Tensor], dataset: PersonDataset, words: tuple[str, ...]
) -> tuple[dict[str, float], float]:
    """The figures after some steps, and the seconds that these and ranking took."""
    start = time.perf_counter()
    stage = postprocessed(FirstStage(embeddings.captions, embeddings.pictures, mirrored), parse_steps(words))
    figures = figures_of_queries(stage.rows(), *directed_ids(dataset), None).metrics()
    return figures, time.perf_counter() - start


def rows_of(name: str, splits: list[PersonDataset]) -> list[list[Cell]]:
    """The rows of one model."""
    model: Retriever = load_model(name, None, torch.device("cpu")).model
    found: defaultdict[tuple[str, ...], list[tuple[dict[str, float], float]]] = defaultdict(list)
    for dataset in splits:
        embeddings = embed_dataset(model, dataset)

        def mirrored(pictures: list[Path] = dataset.pictures) -> Tensor:
            return embed_pictures(model, pictures, mirrored=True)

        for words in VARIANTS:
            found[words].append(measured(embeddings, mirrored, dataset, words))
    alone = {metric: statistics.fmean(figures[metric] for figures, _ in found[()]) for metric in ("R1", "mAP")}
    rows: list[list[Cell]] = []
    for words, each in found.items():
        mean = {metric: statistics.fmean(figures[metric] for figures, _ in each) for metric in alone}
        steps = parse_steps(words)
        kind = "" if not words else "yes" if any(step.IS_TRANSDUCTIVE for step in steps) else "no"
        differences = [f"{mean[metric] - alone[metric]:+.2f}" if words else "" for metric in alone]
        seconds = statistics.fmean(seconds for _, seconds in each)
        rows.append([name, " ".join(words), kind, mean["R1"], differences[0], mean["mAP"], differences[1], seconds])
    return rows


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="seeds of the data (default: 0 1)")
    parser.add_argument("--people", type=int, default=200, help="people of each test split (default: 200)")
    parser.add_argument("--models", nargs="+", help="models (default: every tiny one with weights)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    arguments = parser.parse_args()
    assert {word.partition(":")[0] for words in VARIANTS for word in words} == set(STEPS)
    with drawn(arguments.seeds, arguments.people) as splits:
        rows = [row for name in arguments.models or tiny_models() for row in rows_of(name, splits)]
    seeds = ", ".join(map(str, arguments.seeds))
    pairs = ", ".join(f"{len(split.captions):,} captions and {len(split.pictures):,} pictures" for split in splits)
    print(f"SynthPEDES test, seeds {seeds}: {pairs}; means over the seeds\n")
    columns = ["model", "steps", "transductive", "R1", "change", "mAP", "change ", "seconds"]
    print(render_table(columns, rows, "markdown" if arguments.markdown else "text"))


if __name__ == "__main__":
    main()
