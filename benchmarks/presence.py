"""Does the chance hold that a card's curve states, in galleries of sizes that were never measured?

    python benchmarks/presence.py MODEL [MODEL ...] --data DIR [--persons 25 100 199] [--largest 49]

For each size, and each of a few chances: the share of searches for somebody absent that at most this chance is stated
for. Beyond the largest measured gallery a least and a largest chance are stated; the true share must lie between
what both give. With --largest, the curve's larger galleries are left out first, so that these sizes lie beyond it. The
error is the mean distance between stated and found, of the bounds how far they are passed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.display.tables import Cell, render_table
from tipr_zoo.evaluation.embedding import embed_dataset
from tipr_zoo.evaluation.presence import STATED, BestScores, best_scores
from tipr_zoo.evaluation.presence_curve import chance_of_absent
from tipr_zoo.evaluation.split_embeddings import directed_rows
from tipr_zoo.models.lookup import load_card


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--persons", type=int, nargs="+", default=[2, 5, 25, 100])
    parser.add_argument("--largest", type=int, help="leave out the curve's galleries of more persons")
    arguments = parser.parse_args()
    data = open_dataset(arguments.data, split="test")
    rows: list[list[Cell]] = []
    for name in arguments.models:
        similarity = directed_rows(embed_dataset(tipr_zoo.build(name, pretrained=True), data))
        for scores in best_scores(similarity, data.caption_ids, data.picture_ids, sizes=arguments.persons):
            rows.append([name, scores.persons, scores.pictures, *_judged(name, scores, arguments.largest)])
    print(render_table(["model", "persons", "pictures", *map(str, STATED), "error"], rows))


def _judged(name: str, scores: BestScores, largest: int | None) -> list[Cell]:
    """Return what is found for each stated chance, and the mean error."""
    answers = load_card(name).answers
    assert answers is not None
    curve = [each for each in answers.galleries if largest is None or each.persons <= largest]
    chances = np.array([chance_of_absent(curve, float(s), scores.pictures, scores.persons) for s in scores.absent])
    found = [[float((bound <= stated).mean()) for bound in chances.T] for stated in STATED]
    is_beyond = bool((chances[:, 0] < chances[:, 1]).any())
    errors = []
    for stated, (of_least, of_largest) in zip(STATED, found, strict=True):
        passed = max(of_largest - stated, stated - of_least, 0.0)
        errors.append(passed if is_beyond else abs(of_largest - stated))
    told = [f"{high:.3f} to {low:.3f}" if is_beyond else f"{high:.3f}" for low, high in found]
    return [*told, f"{np.mean(errors):.3f}"]


if __name__ == "__main__":
    main()
