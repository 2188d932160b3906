"""No figures in the directory are passed over: each file has a name by which a test finds it.

Figures of a method that is not registered cannot be compared. They are listed in a warning, which pytest shows.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path

import pytest

from tipr_zoo.models.reader_lookup import import_every_plugin
from tipr_zoo.registries import CHECKPOINTS

FILES = Path(os.environ.get("TIPR_PARITY_DIR") or Path(__file__).parent / "files")
COMPARED = re.compile(
    r"(?:(?:irra|sen|fmfa|rde|rasa|tbps_clip)_|losses_(?:sen|fmfa|rde)|metrics|posembed|schedule|tokens).*\.(?:json|npz)"
)


def strange_files(folder: Path) -> tuple[list[str], list[str]]:
    """The files that no test compares: those of methods that are not registered, and all others."""
    import_every_plugin()
    names = {path.name for kind in ("json", "npz") for path in folder.glob(f"*.{kind}")}
    strange = sorted(name for name in names if not COMPARED.fullmatch(name))
    foreign = [name for name in strange if (method := _method(folder / name)) and method not in CHECKPOINTS]
    return foreign, [name for name in strange if name not in foreign]


def _method(file: Path) -> str | None:
    """The method that a file's figures are of, as they say themselves, or as their name does."""
    figures = file.with_suffix(".json")
    said = json.loads(figures.read_text()) if figures.is_file() else {}
    if isinstance(said, dict) and isinstance(said.get("method"), str):
        return str(said["method"])
    return file.stem.removeprefix("losses_") if file.stem.startswith("losses_") else None


def test_every_file_has_a_name_by_which_it_is_found() -> None:
    foreign, strange = strange_files(FILES)
    if foreign:
        warnings.warn(f"not covered, since their methods are not registered: {', '.join(foreign)}", stacklevel=1)
    assert not strange, f"no test compares {', '.join(strange)} of {FILES}"


def test_files_of_other_methods_are_listed_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, figures in {
        "other_tiny": {"method": "other", "grad_norms": {}},
        "losses_other": {"values": {}},
        "irra_tiny": {"method": "irra"},
        "mine": {"method": "irra"},
        "odd": [],
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(figures))
        (tmp_path / f"{name}.npz").touch()
    foreign, strange = strange_files(tmp_path)
    assert foreign == [f"{name}.{kind}" for name in ("losses_other", "other_tiny") for kind in ("json", "npz")]
    assert strange == ["mine.json", "mine.npz", "odd.json", "odd.npz"]
    monkeypatch.setitem(globals(), "FILES", tmp_path)
    with (
        pytest.warns(UserWarning, match="not covered, since their methods are not registered: losses_other"),
        pytest.raises(AssertionError, match=r"no test compares mine\.json"),
    ):
        test_every_file_has_a_name_by_which_it_is_found()
