"""Copy what a record says of single answers into its card, which keeps it for search.

    python -m tools.copy_answers CARD.md records/NAME.json

The record is named as seen from the card, as one of the sources of its results.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tipr_zoo.cards.answers import Answers
from tipr_zoo.cards.record import read_record
from tipr_zoo.machine.whole_file import write_whole

_BLOCK = re.compile(r"^  answers:\n(?:    .*\n)+", re.MULTILINE)


def block_of(answers: Answers, source: str) -> str:
    """Return the lines of a card's ``answers:`` block.

    Args:
        answers: What was measured.
        source: The record, as seen from the card.
    """
    lines = ["  answers:", f"    source: {source}", "    galleries:"]
    for each in answers.galleries:
        lines += [f"      - persons: {each.persons}", f"        pictures: {each.pictures}", f"        auc: {each.auc}"]
        for name, scores in (("absent", each.absent), ("present", each.present)):
            lines.append(f"        {name}: [{', '.join(map(str, scores))}]")
    lines.append("    short_captions:")
    lines += [f"      - {{words: {each.words}, R1: {each.R1}}}" for each in answers.short_captions]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("record")
    arguments = parser.parse_args()
    answers = read_record(arguments.card.parent / arguments.record).answers
    if answers is None:
        raise SystemExit(f"{arguments.record} has no answers; measure with tipr-zoo eval --presence")
    text = _BLOCK.sub("", arguments.card.read_text(encoding="utf-8"), count=1)
    before, paper, after = text.partition("\n  paper:\n")
    written = f"{before}\n{block_of(answers, arguments.record)}{paper.lstrip(chr(10))}{after}"
    write_whole(arguments.card, written.encode())


if __name__ == "__main__":
    main()
