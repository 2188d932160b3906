"""``tipr-zoo explain``: why a picture fits a sentence, word by word."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tipr_zoo.commands.options import add_model_arguments, build_model

if TYPE_CHECKING:
    from tipr_zoo.explaining.explanation import Explanation

NAME = "explain"
HELP = "show which words of a sentence matter for a picture, and where in it they are seen"
EXAMPLE = """
tipr-zoo explain irra_tiny_synth person.jpg "a man in a red jacket and blue jeans" -o why.png
tipr-zoo explain irra_tiny_synth person.jpg "a woman with a yellow bag" --words 3 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the model")
    parser.add_argument("image", metavar="IMAGE", type=Path, help="the picture")
    parser.add_argument("text", metavar="TEXT", help="the sentence")
    parser.add_argument(
        "-o",
        "--picture",
        metavar="FILE",
        type=Path,
        help="draw the explanation into this file (.png, .jpg); may be left out with --json",
    )
    parser.add_argument("--words", metavar="N", type=int, default=5, help="number of words to show (default: 5)")
    parser.add_argument(
        "--map",
        metavar="NAME",
        default="occlusion",
        help="where a word is seen: occlusion (the squares without which it adds less to the score, the default), or"
        " tokens (the patches whose tokens are most similar to its own)",
    )
    parser.add_argument(
        "--score",
        metavar="NAME",
        default="cosine",
        help="what is explained: cosine (the default), or pairs, the score by which a re-ranker orders",
    )
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Explain, draw, and print the words that matter.

    Raises:
        ConfigError: The number of words is below 1.
    """
    from tipr_zoo.display.explanation_picture import draw_explanation
    from tipr_zoo.display.picture_file import save_picture
    from tipr_zoo.display.tables import render_table, terminal_width, to_json
    from tipr_zoo.errors import ConfigError
    from tipr_zoo.explaining.explanation import explain
    from tipr_zoo.machine.result_place import check_output
    from tipr_zoo.pictures.files import open_picture
    from tipr_zoo.terminal.streams import is_terminal, write_document

    check_output(arguments.picture, arguments.json)
    if arguments.words < 1:
        raise ConfigError(f"the number of words must be at least 1, got {arguments.words}")
    picture = open_picture(arguments.image)
    model = build_model(arguments)
    explanation = explain(
        model,
        picture,
        arguments.text,
        map=arguments.map,
        score=arguments.score,
        progress=is_terminal(sys.stderr),
    )
    if arguments.picture:
        save_picture(draw_explanation(explanation, picture, arguments.words), arguments.picture)
        print(f"drawn: {arguments.picture}", file=sys.stderr)
    if arguments.json:
        write_document(to_json(_as_json(explanation, arguments.image, arguments.words), indent=None))
        return
    print(f"score {explanation.score:.3f}")
    rows = [[word.word.text, f"{-word.importance:+.3f}"] for word in explanation.most_important(arguments.words)]
    print(render_table(["word", "change without it"], rows, width=terminal_width()))
    if left_out := explanation.left_out():
        print(f"left out, for they carry nothing: {', '.join(dict.fromkeys(word.word.text for word in left_out))}")


def _as_json(explanation: Explanation, image: Path, count: int) -> dict[str, Any]:
    """Return the explanation in plain types. The words that matter most come first."""
    return {
        "picture": str(image),
        "caption": explanation.caption,
        "score": explanation.score,
        "map": explanation.map,
        "weights": None if explanation.weights is None else explanation.weights.tolist(),
        "left_out": [word.word.text for word in explanation.left_out()],
        "words": [
            {
                "word": word.word.text,
                "start": word.word.start,
                "end": word.word.end,
                "importance": word.importance,
                "map": word.weights.tolist(),
            }
            for word in explanation.most_important(count)
        ],
    }
