"""The commands that write, each with what it needs and what it leaves."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

TINY = ("--device", "cpu")
DATA = ("--train", "4", "--val", "2", "--test", "2", "--pictures", "2")
SHORT = ("--cfg-options", "training.max_epochs=2", "training.validate_every=1", "training.num_workers=0")
MODEL, RESTORING = "irra_tiny_synth", "sen_tiny_restoring_synth"
RED, BLUE = "a man in a red jacket", "a woman in blue jeans"
CHECKPOINT = "irra.pth"
FIGURES = "../figures"
"""Data of which the card of `MODEL` has figures. It lies beside the present folder, which is copied for each kill."""


@dataclass(frozen=True)
class Case:
    """A command that writes.

    Attributes:
        words: The command line; the present folder holds what `prepare_inputs` makes.
        before: Command lines that leave older files in the places of the new ones.
        again: Words to add where the command runs once more.
        is_told: Whether stdout must be the same where the command runs once more.
        changing: Names of files that differ in every run, such as those that hold times.
        refuses_finished: Whether the command refuses to overwrite what it has finished.
    """

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    again: tuple[str, ...] = ()
    is_told: bool = False
    changing: tuple[str, ...] = ()
    refuses_finished: bool = False


def _convert(*more: str) -> tuple[str, ...]:
    size = ("--image-size", "64", "32", "--stride", "16")
    return ("convert", CHECKPOINT, "--method", "irra", *size, "-o", "converted/mine.safetensors", *more)


_NEW_CARD = ("cards", "new", "mine", "--from-weights", "tiny.safetensors", "--record", "record.json", "--folder", "new")
_TRAIL = ("history.jsonl", "train.log", "runs.json", "curves.png")
"""What holds times, or says how often a training was resumed. The curves are drawn when there is time for it."""

_TRAIN = ("train", MODEL, "--data", "data", "--work-dir", "work", *TINY)
_REPRODUCE = ("reproduce", MODEL, "--data", FIGURES, "--work-dir", "work", "--records", "records", *TINY)
_EVAL = ("eval", MODEL, "--data", "data", *TINY)
_SEARCH = ("search", MODEL, "data/imgs")
_PICTURE = "data/imgs/test/00000_0.jpg"

CASES = {
    "data synth": Case(("data", "synth", "drawn", *DATA, "--workers", "1")),
    "data synth, two workers": Case(("data", "synth", "drawn", *DATA, "--workers", "2")),
    "train": Case((*_TRAIN, *SHORT), again=("--resume",), changing=_TRAIL),
    "train, over old weights": Case(
        (*_TRAIN, "--resume", *SHORT),
        before=((*_TRAIN, "--max-minutes", "0", *SHORT),),
        changing=_TRAIL,
    ),
    "reproduce": Case((*_REPRODUCE, "--seeds", "0", "1", *SHORT), changing=_TRAIL),
    "reproduce, two jobs": Case(
        (*_REPRODUCE, "--seeds", "0", "1", "--jobs", "2", *SHORT), changing=(*_TRAIL, "log.txt")
    ),
    "eval --records": Case(
        (*_EVAL, "--no-cache", "--direction", "both", "--records", "records"),
        before=((*_EVAL, "--no-cache", "--records", "records"),),
    ),
    "eval, with its cache": Case((*_EVAL, "--records", "records")),
    "eval --matrix": Case(("eval", MODEL, RESTORING, "--matrix", "--data", "data", "--records", "records", *TINY)),
    "eval --export": Case((*_EVAL, "--no-cache", "--export", "out/embeddings.npz")),
    "eval --export safetensors": Case((*_EVAL, "--no-cache", "--export", "out/embeddings.safetensors")),
    "eval --picture": Case(
        (*_EVAL, "--no-cache", "--picture", "out/hits.png", "--captions", "2"),
        before=((*_EVAL, "--no-cache", "--picture", "out/hits.png", "--captions", "1"),),
    ),
    "search --picture": Case(
        (*_SEARCH, RED, "--picture", "data/imgs/test/hits.png", *TINY, "--top", "2"),
    ),
    "search --picture, over an old one": Case(
        (*_SEARCH, RED, "--picture", "out/hits.jpg", *TINY),
        before=((*_SEARCH, BLUE, "--picture", "out/hits.jpg", *TINY),),
        is_told=True,
    ),
    "explain": Case(
        ("explain", MODEL, _PICTURE, RED, "-o", "out/why.png", *TINY),
        before=(("explain", MODEL, _PICTURE, BLUE, "-o", "out/why.png", *TINY),),
        is_told=True,
    ),
    "restore": Case(("restore", RESTORING, _PICTURE, RED, "-o", "out/restored.webp", *TINY), is_told=True),
    "convert": Case(_convert(), refuses_finished=True),
    "convert --force": Case(_convert("--force"), before=(_convert(),)),
    "average": Case(("average", "tiny.safetensors", "twin.safetensors", "-o", "out/mean.safetensors", "--force")),
    "cards new": Case(_NEW_CARD, refuses_finished=True),
    "new-plugin": Case(("new-plugin", "hard-pairs", "--dir", "plugins"), refuses_finished=True),
    "list": Case(("list", "--json"), is_told=True),
    "info": Case(("info", MODEL, "--json"), is_told=True),
    "leaderboard": Case(("leaderboard", "--records", "records", "--json"), is_told=True),
    "data check": Case(("data", "check", "data", "--json"), is_told=True),
    "push --dry-run": Case(("push", MODEL, "somebody/model", "--dry-run"), is_told=True),
}
"""By name."""


def prepare_inputs(folder: Path) -> None:
    """Write everything that the commands read: a data set, weights, a record and an official checkpoint."""
    import safetensors.torch
    import torch

    import tipr_zoo
    from tipr_zoo.synthpedes import draw_synthpedes

    counts = dict(zip((word.strip("-") for word in DATA[::2]), map(int, DATA[1::2]), strict=True))
    draw_synthpedes(folder / "data", workers=1, **counts)
    draw_synthpedes(folder / FIGURES, train=4, val=2, workers=1)
    card = tipr_zoo.load_card(MODEL)
    shutil.copy(card.path.parent / str(card.weights and card.weights.location), folder / "tiny.safetensors")
    tensors = safetensors.torch.load_file(folder / "tiny.safetensors")
    twin = {name: value * 1.01 if value.is_floating_point() else value for name, value in tensors.items()}
    safetensors.torch.save_file(twin, folder / "twin.safetensors")
    for name in ("out", "records"):
        (folder / name).mkdir()
    torch.save({"model": _official_state()}, folder / CHECKPOINT)


def _official_state() -> dict[str, object]:
    """Return the state of a small model as the official code of IRRA names it."""
    import torch

    file = Path(__file__).parents[2] / "tests" / "parity" / "files" / "parity_inputs.py"
    specification = importlib.util.spec_from_file_location("parity_inputs", file)
    assert specification is not None
    assert specification.loader is not None
    inputs = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(inputs)
    sizes = inputs.CONFIGS["tiny"] | dict.fromkeys(("embed_dim", "vision_width", "text_width"), 64)
    sizes |= dict.fromkeys(("vision_layers", "text_layers", "cmt_depth"), 1)
    weights = inputs.state_dict(inputs.model_shapes("irra", sizes), 0)
    return {name: torch.from_numpy(weight) for name, weight in weights.items()}
