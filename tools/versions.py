"""The version of a release, which has one source: `tipr_zoo/version.py`.

``python -m tools.versions`` copies it to every other place that must state it; with ``--check`` it compares and writes
nothing. The change log is written by hand and compared alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = "tipr_zoo/version.py"
COPIES = {
    "plugins/fmfa/pyproject.toml": r'^version = "(.+)"$',
    "plugins/rasa/pyproject.toml": r'^version = "(.+)"$',
    "plugins/rde/pyproject.toml": r'^version = "(.+)"$',
    "plugins/tbps_clip/pyproject.toml": r'^version = "(.+)"$',
    "plugins/sen/pyproject.toml": r'^version = "(.+)"$',
    "CITATION.cff": r"^version: (.+)$",
}
CHANGES, LATEST = "CHANGELOG.md", r"^## \[(\d[^\]]*)\] - \d{4}-\d{2}-\d{2}$"


def main() -> int:
    """Copy the version; with ``--check``, give 1 if a place states another."""
    parser = argparse.ArgumentParser(prog="python -m tools.versions", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a place states another")
    parser.add_argument("--print", action="store_true", help="print the version and do nothing else")
    arguments = parser.parse_args()
    version = source_version(ROOT)
    if arguments.print:
        print(version)
        return 0
    if not arguments.check:
        copy_version(ROOT)
    wrong = {place: stated for place, stated in stated_versions(ROOT).items() if stated != version}
    for place, stated in wrong.items():
        mend = "write its changes down" if place == CHANGES else "run: python -m tools.versions"
        print(f"{place} states {stated}, {SOURCE} {version}; {mend}", file=sys.stderr)
    return 1 if wrong else 0


def source_version(root: Path) -> str:
    """The version as the source states it."""
    return _found(root / SOURCE, r'^__version__ = "(.+)"$')


def stated_versions(root: Path) -> dict[str, str]:
    """What each other place states; of the change log the latest release."""
    return {place: _found(root / place, pattern) for place, pattern in {**COPIES, CHANGES: LATEST}.items()}


def copy_version(root: Path) -> None:
    """Write the version of the source into every place that states it, but for the change log."""
    version = source_version(root)
    for place, pattern in COPIES.items():
        text = (root / place).read_text(encoding="utf-8")
        found = re.search(pattern, text, re.MULTILINE)
        assert found is not None, place
        new = text[: found.start(1)] + version + text[found.end(1) :]
        (root / place).write_text(new, encoding="utf-8", newline="\n")


def _found(file: Path, pattern: str) -> str:
    found = re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{file}: states no version")
    return found[1]


if __name__ == "__main__":
    sys.exit(main())
