"""What ``tipr-zoo search`` prints and draws."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tipr_zoo.display.tables import Cell, render_table, terminal_width, to_json
from tipr_zoo.gallery.hits import Hit
from tipr_zoo.gallery.remarks import Remark
from tipr_zoo.terminal.streams import write_document

if TYPE_CHECKING:
    from tipr_zoo.display.hits_picture import HitsRow


def print_hits(
    titles: Sequence[str],
    found: Sequence[Sequence[Hit]],
    arguments: argparse.Namespace,
    remarks: Sequence[Sequence[Remark]],
) -> None:
    """Print hits as the options ask for it.

    Args:
        titles: What was searched for.
        found: The hits of each.
        arguments: The options of the command.
        remarks: What was told of each answer.
    """
    if arguments.paths or arguments.null:
        _write_paths([hit.picture for hits in found for hit in hits], b"\0" if arguments.null else b"\n")
    elif arguments.json:
        answers: list[dict[str, Any]] = [{"hits": [hit.values() for hit in hits]} for hits in found]
        if arguments.remarks:
            answers = [
                {**answer, "remarks": [remark.values() for remark in own]}
                for answer, own in zip(answers, remarks, strict=True)
            ]
        if len(titles) == 1 and arguments.file is None:
            write_document(to_json(answers[0] if arguments.remarks else answers[0]["hits"]))
        else:
            write_document(to_json([{"query": title, **each} for title, each in zip(titles, answers, strict=True)]))
    else:
        for number, (title, hits) in enumerate(zip(titles, found, strict=True)):
            if len(titles) > 1:
                print(f"{'' if number == 0 else chr(10)}{title}")
            print(_table(hits, bool(arguments.rerank)) if hits else "no picture fits")


def draw(titles: Sequence[str], found: Sequence[Sequence[Hit]], top: int, file: Path) -> None:
    """Draw the hits, a row for each sentence; where pictures were ranked again, that of the first stage before it.

    Args:
        titles: What was searched for.
        found: The hits of each, with those that were ranked again.
        top: How many to draw of each.
        file: The picture to write.
    """
    # not at the top: most searches draw nothing, and what draws the hits of an evaluation imports all that measures it
    from tipr_zoo.display.hits_picture import draw_hits
    from tipr_zoo.display.picture_file import save_picture

    rows = [row for title, hits in zip(titles, found, strict=True) for row in _drawn_rows(title, hits, top)]
    save_picture(draw_hits(rows), file)


def _table(hits: Sequence[Hit], is_reranked: bool) -> str:
    has_boxes, has_facts, has_alike = (any(getattr(hit, name) for hit in hits) for name in ("box", "facts", "alike"))
    columns = ["rank", "score", *["before"] * is_reranked, "picture", *["box"] * has_boxes, *["facts"] * has_facts]
    columns += ["alike"] * has_alike
    rows: list[list[Cell]] = []
    for hit in hits:
        row: list[Cell] = [hit.rank, f"{hit.score:.3f}", *([hit.first_rank] if is_reranked else []), str(hit.picture)]
        row += [" ".join(map(str, hit.box or ()))] if has_boxes else []
        row += [_facts(hit)] if has_facts else []
        row += [len(hit.alike or ())] if has_alike else []
        rows.append(row)
    return render_table(columns, rows, width=terminal_width())


def _facts(hit: Hit) -> str:
    facts: dict[str, Any] = dict(hit.facts or {})
    return ", ".join(f"{name}={value}" for name, value in sorted(facts.items()))


def _write_paths(paths: Sequence[Path], end: bytes) -> None:
    """Write paths as they are, for programs: bytes that are no text, too."""
    content = b"".join(os.fsencode(path) + end for path in paths)
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:  # somebody has put another stream in its place
        sys.stdout.write(content.decode(errors="replace"))
    else:
        stream.write(content)
        stream.flush()


def _drawn_rows(text: str, found: Sequence[Hit], top: int) -> list[HitsRow]:
    from tipr_zoo.display.hits_picture import RANKED_AGAIN, HitsRow, PictureHit  # not at the top, as in `draw`

    last = [PictureHit(hit.picture, hit.score, None, hit.first_rank) for hit in found[:top]]
    if not any(hit.first_rank for hit in found):
        return [HitsRow(text, last)]
    by_first_rank = sorted(found, key=lambda hit: hit.first_rank or hit.rank)[:top]
    first = [
        PictureHit(hit.picture, hit.score if hit.first_score is None else hit.first_score, None)
        for hit in by_first_rank
    ]
    return [HitsRow(text, first), HitsRow(RANKED_AGAIN, last, is_remark=True)]
