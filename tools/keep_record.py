"""Put a record that `tipr-zoo eval` wrote in the place of an older one of a card, as where more is measured by now.

    python -m tools.keep_record records/NAME.json model_cards/records/NAME.json

Both must be of the same model, data, weights and figures. The file with what was found of every query is not kept
beside a card, and the record then does not name it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from tipr_zoo.cards.record import read_record, write_record

SAME = (
    "model",
    "dataset",
    "split",
    "dataset_arguments",
    "direction",
    "metrics",
    "queries",
    "gallery",
    "identities",
    "overrides",
    "weights_sha256",
    "dataset_sha256",
    "pictures_sha256",
    "part",
    "rerank",
    "postprocess",
)


def main() -> None:
    """Write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path)
    parser.add_argument("kept", type=Path)
    arguments = parser.parse_args()
    measured, kept = read_record(arguments.measured), read_record(arguments.kept)
    other = [name for name in SAME if getattr(measured, name) != getattr(kept, name)]
    if other:
        raise SystemExit(f"{arguments.measured} is another evaluation than {arguments.kept}: {', '.join(other)} differ")
    write_record(replace(measured, queries_sha256=None), arguments.kept)


if __name__ == "__main__":
    main()
