"""``tipr-zoo gallery check``: whether a gallery is as its pictures are."""

from __future__ import annotations

import argparse

from tipr_zoo.commands.gallery_options import add_gallery_argument, add_json_argument

NAME = "gallery check"
HELP = "read every picture of a gallery again, and compare it with what was embedded"
EXAMPLE = """
tipr-zoo gallery check crops.gallery
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_gallery_argument(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the gallery; return 1 where it is not as its pictures are."""
    from tipr_zoo.display.tables import one_line, to_json
    from tipr_zoo.gallery.gallery import Gallery
    from tipr_zoo.terminal.streams import write_document

    with Gallery.open(arguments.gallery) as gallery:
        report = gallery.check()
    if arguments.json:
        write_document(to_json(report.values()))
    else:
        for line in report.lines():
            print(one_line(line))
        told = "is as its pictures are" if report.is_sound else "is not as its pictures are"
        unknown = f"; of {report.unknown:,} the content is not known" if report.unknown else ""
        print(f"{one_line(arguments.gallery)}: {report.pictures:,} pictures; the gallery {told}{unknown}")
    return 0 if report.is_sound else 1
