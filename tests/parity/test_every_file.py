"""No figures in the directory are passed over: each file has a name by which a test finds it."""

from __future__ import annotations

import os
import re
from pathlib import Path

FILES = Path(os.environ.get("TIPR_PARITY_DIR") or Path(__file__).parent / "files")
COMPARED = re.compile(r"(?:(?:irra|sen|fmfa|rde)_|losses_|metrics|posembed|schedule|tokens).*\.(?:json|npz)")


def test_every_file_has_a_name_by_which_it_is_found() -> None:
    files = {path.name for kind in ("json", "npz") for path in FILES.glob(f"*.{kind}")}
    strange = sorted(name for name in files if not COMPARED.fullmatch(name))
    assert not strange, f"no test compares {', '.join(strange)} of {FILES}"
