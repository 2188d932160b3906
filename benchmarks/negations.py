"""Do models take notice of "not", "without" and "no"? Captions with all clothes negated find the same person.

    python benchmarks/negations.py [MODEL ...] [--data DIR] [--people 200]

Each caption is compared with itself negated: "wearing" becomes "not wearing", "with" becomes "without", or "a" becomes
"no". Beside them stands the same caption with its first colour changed, which is one word as well. A model that
understood a negation would no longer find the person whom the caption describes. Without --data, people are drawn anew
with a seed that no model was trained on.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.display.tables import Cell, render_table
from tipr_zoo.evaluation.embedding import embed_captions, embed_pictures
from tipr_zoo.explaining.colour_words import change_colour
from tipr_zoo.synthpedes import draw_synthpedes

MODELS = ("irra_tiny_synth", "fmfa_tiny_synth", "sen_tiny_synth", "sen_tiny_restoring_synth", "rde_tiny_synth")


def _not(caption: str) -> str:
    for word, negated in (("wearing", "not wearing"), ("wears", "does not wear"), ("dressed in", "not dressed in")):
        caption = re.sub(rf"\b{word}\b", negated, caption)
    return re.sub(r"\bhas on\b", "does not have on", caption)


CHANGES: dict[str, Callable[[str], str]] = {
    "not": _not,
    "without": lambda caption: re.sub(r"\bwith\b", "without", caption),
    "no": lambda caption: re.sub(r"(?<=\w )a\b", "no", caption),
    "black hair for no hair": lambda caption: caption.replace("no hair", "black hair"),
    "another colour": lambda caption: change_colour(caption) or caption,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--people", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.data is None:
            draw_synthpedes(folder, seed=1, train=2, val=2, test=arguments.people, splits=("test",))
        data = open_dataset(arguments.data or folder, split="test")
        rows = [row for name in arguments.models for row in _rows(name, data)]
    print(f"{len(data.captions)} captions, {len(data.pictures)} pictures")
    print(render_table(["model", "change", "captions", "R1", "changed", "same first", "same scores"], rows))


def _rows(name: str, data: PersonDataset) -> list[list[Cell]]:
    model = tipr_zoo.build(name, pretrained=True)
    pictures = F.normalize(embed_pictures(model, data.pictures), dim=-1)
    persons, people = torch.tensor(data.picture_ids), torch.tensor(data.caption_ids)
    scores = F.normalize(embed_captions(model, data.captions), dim=-1) @ pictures.T
    rows: list[list[Cell]] = []
    for kind, change in CHANGES.items():
        changed = [change(caption) for caption in data.captions]
        is_other = torch.tensor([one != other for one, other in zip(changed, data.captions, strict=True)])
        others = F.normalize(embed_captions(model, changed), dim=-1) @ pictures.T
        before, after, wanted = scores[is_other], others[is_other], people[is_other]
        rank_1, changed_1 = (
            100 * (persons[each.argmax(1)] == wanted).float().mean().item() for each in (before, after)
        )
        same_first = 100 * (before.argmax(1) == after.argmax(1)).float().mean().item()
        centred = [F.normalize(each - each.mean(1, keepdim=True), dim=1) for each in (before, after)]
        alike = (centred[0] * centred[1]).sum(1).mean().item()
        rows.append(
            [
                name,
                kind,
                int(is_other.sum()),
                f"{rank_1:.1f}",
                f"{changed_1:.1f}",
                f"{same_first:.0f} %",
                f"{alike:.3f}",
            ]
        )
    return rows


if __name__ == "__main__":
    main()
