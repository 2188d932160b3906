"""`tipr-zoo doctor`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from first_party import PLUGINS

from tipr_zoo.version import __version__


def test_doctor_reports_versions_device_cache_and_what_is_missing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tipr_zoo", "doctor", "--json"]
    environment = {**os.environ, "TIPR_ZOO_HOME": str(tmp_path / "home")}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    report = json.loads(done.stdout)
    assert report["tipr_zoo"] == __version__
    assert report["device"].startswith(("cpu", "cuda", "mps"))
    assert report["cache"] == {"folder": str(tmp_path / "home"), "exists": False, "bytes": 0}
    assert {"torch", "timm", "mmengine"} <= {row["name"] for row in report["dependencies"] if row["version"]}
    assert done.returncode == (1 if any(row["needed"] for row in report["missing"]) else 0)
    assert {row["plugin"] for row in report["plugins"]} >= set(PLUGINS)
