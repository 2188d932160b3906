"""What ``tipr-zoo info FILE`` says of a file of weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tipr_zoo.display.tables import printable
from tipr_zoo.terminal.suggested_command import quoted

_LONGEST_TEXT = 300
"""Letters of a text of the header that are shown."""


def weights_facts(file: Path) -> dict[str, Any]:
    """Return what a file of weights is, and what it holds.

    Raises:
        WeightsError: It cannot be read, or holds something that is no weight.
    """
    from tipr_zoo.models.checkpoint_reader import titles
    from tipr_zoo.models.reader_lookup import readers_of
    from tipr_zoo.models.weights_origin import owner_of
    from tipr_zoo.models.zero_shot import fitting_zero_shot_models
    from tipr_zoo.outside.files import file_sha256
    from tipr_zoo.weights.opening import open_weights
    from tipr_zoo.weights.recognition import WeightsKind

    opened = open_weights(file)
    readers = readers_of(opened.tensors) if opened.recognised.kind is WeightsKind.OFFICIAL else []
    is_clip = opened.recognised.kind in (WeightsKind.CLIP, WeightsKind.HUGGING_FACE_CLIP)
    types = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in opened.tensors.values())
    return {
        "file": str(file),
        "what": f"a checkpoint of the official code of {titles(readers)}" if readers else opened.recognised.words,
        "kind": opened.recognised.kind.value,
        "methods": [reader.method for reader in readers],
        "zero_shot_models": fitting_zero_shot_models(opened.tensors) if is_clip else [],
        "model": owner_of(file, opened.header),
        "container": opened.container,
        "entry": list(opened.entry),
        "tensors": len(opened.tensors),
        "numbers": sum(tensor.numel() for tensor in opened.tensors.values()),
        "types": dict(sorted(types.items())),
        "bytes": file.stat().st_size,
        "sha256": file_sha256(file),
        "header": opened.header,
    }


def facts_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the same in words, as names and texts."""
    types = ", ".join(f"{count} {name}" for name, count in facts["types"].items())
    lines = [
        ("what", facts["what"]),
        ("methods", ", ".join(facts["methods"])),
        ("model", facts["model"] or ""),
        ("file", f"{facts['container']}, {facts['bytes'] / 1e6:.1f} MB, sha256 {facts['sha256']}"),
        ("tensors", f"{facts['tensors']} ({types}), {facts['numbers']:,} numbers"),
        ("found in", " > ".join(facts["entry"])),
        *((f"its {name}", _shown(text)) for name, text in facts["header"].items() if name != "model"),
    ]
    return [(printable(name), text) for name, text in lines if text]


def _shown(text: str) -> str:
    """Return a text of the header; its beginning where it is long, as a vocabulary is."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}... ({len(text):,} characters, see --json)"


def commands_for(facts: dict[str, Any]) -> list[str]:
    """Return command lines that take the file; none for one that no command takes."""
    file, name = quoted(facts["file"]), quoted(facts["model"] or "NAME")
    start = f"  tipr-zoo train NAME --data DIR --weights {file}"
    output = quoted(Path(facts["file"]).with_suffix(".safetensors").name)
    zero_shot = [f"  tipr-zoo eval {quoted(name)} --data DIR --weights {file}" for name in facts["zero_shot_models"]]
    method = facts["methods"][0] if len(facts["methods"]) == 1 else "METHOD"
    by_kind = {
        "zoo": [f"  tipr-zoo eval {name} --data DIR --weights {file}", start],
        "official": [f"  tipr-zoo convert {file} --method {quoted(method)} -o {output}", start],
        "clip": [*zero_shot, start],
        "hugging_face_clip": [*zero_shot, start],
    }
    return ["use it:", *by_kind[facts["kind"]]] if facts["kind"] in by_kind else []
