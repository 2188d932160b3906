"""``tipr-zoo search``: the pictures of a folder that fit a sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tipr_zoo.commands.answer_remarks import AnswerRemarks
from tipr_zoo.commands.options import add_model_arguments, build_model
from tipr_zoo.errors import ConfigError

if TYPE_CHECKING:
    from tipr_zoo.display.hits_picture import HitsRow
    from tipr_zoo.gallery.search import Hit

NAME = "search"
HELP = "find the pictures of a folder that fit a sentence; nothing leaves the machine"
EXAMPLE = """
tipr-zoo search irra_tiny_synth pictures/ "a man in a red jacket and blue jeans"
tipr-zoo search irra_tiny_synth pictures/ "a woman with a yellow bag" --top 5 --picture hits.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the model")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures, also in sub-folders")
    parser.add_argument("text", metavar="TEXT", help="the sentence")
    parser.add_argument("--top", metavar="N", type=int, default=10, help="number of hits (default: 10)")
    parser.add_argument("--part", metavar="NAME", help="rank by one part of the model's similarity alone")
    parser.add_argument(
        "--rerank",
        metavar="K",
        type=int,
        default=0,
        help="rank the best K pictures again by the score of the pair, of models that have one (default: 0, none)",
    )
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw the hits into this file (.png, .jpg)")
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--remarks",
        action="store_true",
        help="with --json: print an object with the hits and the remarks, which otherwise are on stderr alone",
    )


def run(arguments: argparse.Namespace) -> None:
    """Search and print the hits. Draw them if an option asks for it."""
    from tipr_zoo.display.hits_picture import draw_hits
    from tipr_zoo.display.picture_file import save_picture
    from tipr_zoo.display.tables import Cell, render_table, terminal_width, to_json
    from tipr_zoo.gallery.search import search
    from tipr_zoo.machine.result_place import check_picture_file
    from tipr_zoo.models.lookup import load_card
    from tipr_zoo.terminal.streams import is_terminal, write_document

    if arguments.picture:
        check_picture_file(arguments.picture)
    if arguments.remarks and not arguments.json:
        raise ConfigError("--remarks is for --json; without it the remarks are on stderr")
    model = build_model(arguments)
    answer = AnswerRemarks(load_card(arguments.name), arguments.weights)
    shows_progress = is_terminal(sys.stderr)
    part, rerank = arguments.part, arguments.rerank
    if arguments.top < 1:
        raise ConfigError(f"the number of hits must be at least 1, got {arguments.top}")
    # All pictures, since the remarks are on all.
    everything = search(model, arguments.folder, arguments.text, sys.maxsize, shows_progress, part, rerank=rerank)
    answer.of_sentence(arguments.text)
    answer.of_pictures([hit.picture for hit in everything])
    if part is None:
        answer.of_best(max(hit.score if hit.first_score is None else hit.first_score for hit in everything))
    found = everything[: max(arguments.top, rerank)]  # what was among the best before is drawn, too
    hits = found[: arguments.top]
    if arguments.picture:
        save_picture(draw_hits(_drawn_rows(arguments.text, found, arguments.top)), arguments.picture)
        print(f"drawn: {arguments.picture}", file=sys.stderr)
    if arguments.json:
        values = [hit.values() for hit in hits]
        said = [remark.values() for remark in answer.remarks]
        write_document(to_json({"hits": values, "remarks": said} if arguments.remarks else values))
        return
    columns = ["rank", "score", *(["before"] if rerank else []), "picture"]
    rows: list[list[Cell]] = [
        [hit.rank, f"{hit.score:.3f}", *([hit.first_rank] if rerank else []), str(hit.picture)] for hit in hits
    ]
    print(render_table(columns, rows, width=terminal_width()))


def _drawn_rows(text: str, found: Sequence[Hit], top: int) -> list[HitsRow]:
    """Return the row of the hits; where pictures were ranked again, that of the first stage before it."""
    from tipr_zoo.display.hits_picture import RANKED_AGAIN, HitsRow, PictureHit

    last = [PictureHit(hit.picture, hit.score, None, hit.first_rank) for hit in found[:top]]
    if not any(hit.first_rank for hit in found):
        return [HitsRow(text, last)]
    by_first_rank = sorted(found, key=lambda hit: hit.first_rank or hit.rank)[:top]
    first = [
        PictureHit(hit.picture, hit.score if hit.first_score is None else hit.first_score, None)
        for hit in by_first_rank
    ]
    return [HitsRow(text, first), HitsRow(RANKED_AGAIN, last, is_remark=True)]
