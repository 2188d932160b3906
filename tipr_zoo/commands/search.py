"""``tipr-zoo search``: the pictures of a gallery, or of a folder, that fit sentences."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tipr_zoo.commands.answer_remarks import AnswerRemarks
from tipr_zoo.commands.options import add_model_arguments, build_model
from tipr_zoo.errors import ConfigError, GalleryError, error_line

if TYPE_CHECKING:
    from tipr_zoo.gallery.gallery import Gallery
    from tipr_zoo.gallery.hits import Hit
    from tipr_zoo.gallery.querying import QueryWeights
    from tipr_zoo.gallery.remarks import Remark

NAME = "search"
HELP = "find the pictures of a gallery or a folder that fit sentences; nothing leaves the machine"
EXAMPLE = """
tipr-zoo search crops.gallery "a man in a red jacket" "a woman with a yellow bag" --top 5
tipr-zoo search crops.gallery "a man in a red jacket" --where camera=3 --where 'time>=2026-05-01' --paths
tipr-zoo search crops.gallery --like person.jpg "in a blue jacket" --minus "with a bag"
tipr-zoo search irra_tiny_synth pictures/ "a man in a red jacket and blue jeans" --picture hits.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("place", metavar="GALLERY", help="a gallery; or NAME FOLDER: a model and a folder of pictures")
    parser.add_argument("texts", metavar="TEXT", nargs="*", help="sentences")
    parser.add_argument("--file", metavar="FILE", help="further sentences, one a line; - for stdin")
    parser.add_argument("--like", metavar="PICTURE", type=Path, help="more like the person in this picture")
    parser.add_argument("--minus", metavar="TEXT", help="less like this sentence")
    for part, default in (("text", 1.0), ("like", 1.0), ("minus", 0.5)):
        parser.add_argument(
            f"--{part}-weight", metavar="W", type=float, help=f"how much it counts (default: {default:g})"
        )
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        action="append",
        default=[],
        help="only pictures with this fact, e.g. camera=3 or 'time>=2026-05-01'; may be given several times",
    )
    parser.add_argument("--top", metavar="N", type=int, default=10, help="number of hits (default: 10)")
    parser.add_argument("--threshold", metavar="COSINE", type=float, help="only hits with at least this cosine")
    parser.add_argument(
        "--group", metavar="FACT", help="one hit for each value of a fact, e.g. person; content: for exact copies"
    )
    parser.add_argument("--part", metavar="NAME", help="rank by one part of the model's similarity alone, of a folder")
    parser.add_argument(
        "--rerank",
        metavar="K",
        type=int,
        default=0,
        help="rank the best K pictures again by the score of the pair, of models that have one (default: 0, none)",
    )
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw the hits into this file (.png, .jpg)")
    add_model_arguments(parser)
    parser.add_argument("--paths", action="store_true", help="print the paths alone, one a line, for pipes")
    parser.add_argument("--null", action="store_true", help="end each path with a zero byte, as xargs -0 takes them")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--remarks",
        action="store_true",
        help="with --json: print an object with the hits and the remarks, which otherwise are on stderr alone",
    )


def run(arguments: argparse.Namespace) -> None:
    """Search and print the hits. Draw them if an option asks for it."""
    from tipr_zoo.commands.search_report import draw, print_hits
    from tipr_zoo.machine.result_place import check_picture_file

    if arguments.picture:
        check_picture_file(arguments.picture)
    if arguments.remarks and not arguments.json:
        raise ConfigError("--remarks is for --json; without it the remarks are on stderr")
    if arguments.json and (arguments.paths or arguments.null):
        raise ConfigError("--json and --paths (or --null) say two things of the output; leave one out")
    place, rest = arguments.place, arguments.texts
    sentences, answers = None, None
    if _is_gallery(place):
        from tipr_zoo.gallery.gallery import Gallery

        sentences = _sentences(rest, arguments)
        with Gallery.open(place, weights=arguments.weights, device=_device(arguments, sentences)) as gallery:
            found = _found(gallery, sentences, arguments)
            own = arguments.weights or (gallery.header.weights and Path(gallery.header.weights))
            answers = AnswerRemarks(gallery.header.model, own or None, len(gallery))
    else:
        if len(rest) < 1 or (len(rest) < 2 and arguments.file is None and arguments.like is None) or os.sep in place:
            raise ConfigError(
                f"there is no gallery at {place}; tipr-zoo gallery create makes one, or name a model, a folder and a"
                " sentence"
            )
        sentences = _sentences(rest[1:], arguments)
        found, answers = _found_in_folder(place, Path(rest[0]), sentences, arguments)
    remarks = _remarks(answers, sentences, found, arguments)
    titles = sentences or [f"like {arguments.like}"]
    print_hits(titles, [hits[: arguments.top] for hits in found], arguments, remarks)
    if arguments.picture:  # last: the file of a hit may be gone, and the hits are an answer all the same
        draw(titles, found, arguments.top, arguments.picture)
        print(f"drawn: {arguments.picture}", file=sys.stderr)


def _remarks(
    answers: AnswerRemarks, sentences: Sequence[str], found: Sequence[Sequence[Hit]], arguments: argparse.Namespace
) -> list[list[Remark]]:
    """Tell what is to be known of each answer, and return it."""
    has_other = any((arguments.like, arguments.minus, arguments.where, arguments.part))
    asked: list[str | None] = [*sentences] or [None]
    return [
        answers.of_answer(sentence, hits, judges_presence=sentence is not None and not has_other)
        for sentence, hits in zip(asked, found, strict=True)
    ]


def _is_gallery(place: str) -> bool:
    if "://" in place or os.path.isfile(os.path.join(place, "gallery.sqlite")):
        return True
    return os.path.isdir(place) and not os.access(place, os.R_OK | os.X_OK)  # opening it tells why that cannot be


def _device(arguments: argparse.Namespace, sentences: Sequence[str]) -> Any:
    """Return where the model is to live. A sentence is embedded sooner than a GPU begins."""
    if arguments.device is None and not arguments.like and not arguments.rerank:
        return "cpu"
    from tipr_zoo.machine.devices import choose_device

    return choose_device(arguments.device)


def _sentences(texts: Sequence[str], arguments: argparse.Namespace) -> list[str]:
    """Return the sentences of the command line, and of the file.

    Raises:
        ConfigError: There is nothing to search for.
    """
    found = list(texts)
    if arguments.file is not None:
        from tipr_zoo.outside.files import ANNOTATION_LIMIT, read_text

        try:
            text = (
                sys.stdin.read() if arguments.file == "-" else read_text(arguments.file, ANNOTATION_LIMIT, "utf-8-sig")
            )
        except UnicodeDecodeError as error:
            raise ConfigError(f"{arguments.file} is not in UTF-8; save it in UTF-8") from error
        except OSError as error:
            raise ConfigError(f"cannot read {arguments.file}: {error.strerror or error}; check the path") from error
        found += _lines(text, arguments.file)
    if not found and arguments.like is None:
        raise ConfigError("there is nothing to search for; give a sentence, --file FILE or --like PICTURE")
    return found


def _lines(text: str, file: str) -> list[str]:
    """Return the sentences of a file; an empty line is none.

    Raises:
        ConfigError: There is none, or a line says nothing.
    """
    from tipr_zoo.gallery.asked import check_sentence

    place = "stdin" if file == "-" else file
    found = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if line.strip():
            check_sentence(line.strip(), f"line {number:,} of {place}")
            found.append(line.strip())
    if not found:
        raise ConfigError(f"{place} holds no sentence; write one a line")
    return found


def _weights(arguments: argparse.Namespace, sentences: Sequence[str]) -> QueryWeights:
    """Return how much each part counts.

    Raises:
        ConfigError: A part that is not there has a weight.
    """
    from tipr_zoo.gallery.querying import QueryWeights

    given = {"text": arguments.text_weight, "picture": arguments.like_weight, "minus": arguments.minus_weight}
    there = {"text": sentences, "picture": arguments.like, "minus": arguments.minus}
    options = {"text": ("--text-weight", "a sentence"), "picture": ("--like-weight", "--like PICTURE")}
    for part, weight in given.items():
        if weight is not None and not there[part]:
            option, fix = options.get(part, ("--minus-weight", "--minus TEXT"))
            raise ConfigError(f"{option} has nothing to count; give {fix}, or leave it out")
    return QueryWeights(**{part: weight for part, weight in given.items() if weight is not None})


def _found(gallery: Gallery, sentences: list[str], arguments: argparse.Namespace) -> list[list[Hit]]:
    if arguments.part is not None:
        raise ConfigError("--part is of a folder alone: a gallery keeps the whole embedding; leave it out")
    options: dict[str, Any] = {
        "picture": arguments.like,
        "minus": arguments.minus,
        "where": arguments.where or None,
        "threshold": arguments.threshold,
        "rerank": arguments.rerank,
        "group": arguments.group,
        "weights": _weights(arguments, sentences),
    }
    # What was among the best before it was ranked again is drawn, too.
    top = max(arguments.top, arguments.rerank) if arguments.picture and arguments.top > 0 else arguments.top
    return gallery.search_many(sentences, top, **options) if sentences else [gallery.search(top=top, **options)]


def _found_in_folder(
    name: str, folder: Path, sentences: list[str], arguments: argparse.Namespace
) -> tuple[list[list[Hit]], AnswerRemarks]:
    """Search a folder by its gallery in the cache, or without one where that cannot be."""
    from tipr_zoo.gallery.asked import check_sentence, check_top
    from tipr_zoo.terminal.log import logger
    from tipr_zoo.terminal.streams import is_terminal

    # What is cheap to check comes before anything is embedded.
    for sentence in sentences:
        check_sentence(sentence)
    check_top(arguments.top)
    _weights(arguments, sentences)
    shows_progress = is_terminal(sys.stderr)
    if arguments.part is None:
        from tipr_zoo.gallery.cached_gallery import cached_gallery
        from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
        from tipr_zoo.machine.devices import choose_device

        device, settings = choose_device(arguments.device), EmbeddingSettings(progress=shows_progress)
        try:
            cached = cached_gallery(name, folder, arguments.weights, device, settings)
        except (OSError, GalleryError) as error:  # the cache cannot be written, or another search is writing there
            logger.warning("the gallery of %s is not kept, and all of it is embedded: %s", folder, error_line(error))
        else:
            for problem in cached.report.problems():
                logger.warning("%s", problem)
            with cached.gallery as gallery:
                found = _found(gallery, sentences, arguments)
                unlike = [_named(path, folder) for path in cached.report.unlike_persons]
                answers = AnswerRemarks(name, arguments.weights, len(gallery), unlike)
            print(f"{folder}: {cached.report.line()}", file=sys.stderr)
            return [[_as_named(hit, folder) for hit in hits] for hits in found], answers
    from tipr_zoo.gallery.search import search
    from tipr_zoo.pictures.shapes import unlike_persons

    if len(sentences) != 1 or arguments.like or arguments.minus or arguments.where or arguments.group:
        raise ConfigError("without a gallery, one sentence alone can be searched for")
    arguments.name = name
    count = max(arguments.top, arguments.rerank)
    model = build_model(arguments)
    # All pictures, since the remarks are on all.
    hits = search(model, folder, sentences[0], sys.maxsize, shows_progress, arguments.part, rerank=arguments.rerank)
    unlike = unlike_persons(sorted(hit.picture for hit in hits))
    return [hits[:count]], AnswerRemarks(name, arguments.weights, len(hits), unlike)


def _as_named(hit: Hit, folder: Path) -> Hit:
    """Return a hit whose path begins as the folder was named, and that says nothing of facts."""
    return replace(hit, picture=_named(hit.picture, folder), facts=hit.facts or None)


def _named(picture: Path, folder: Path) -> Path:
    return Path(folder, os.path.relpath(picture, os.path.abspath(folder)))
