"""What a dry run of ``tipr-zoo train`` prints."""

from __future__ import annotations

from dataclasses import asdict

from tipr_zoo.display.tables import Cell, render_table, terminal_width, to_json
from tipr_zoo.terminal.cells import filled
from tipr_zoo.terminal.streams import write_document
from tipr_zoo.training.dry_run import DryRun
from tipr_zoo.training.trail.disk_use import in_words


def print_dry_run(found: DryRun, as_json: bool) -> None:
    """Print what a training would be: tables for people, or one document for programs.

    Args:
        found: What the dry run found.
        as_json: Whether to print JSON.
    """
    if as_json:
        write_document(to_json(asdict(found)))
        return
    width = terminal_width()
    print(f"{found.name}, a dry run: nothing is written, and nothing was changed")
    rows: list[list[Cell]] = [
        [s.use, s.dataset, s.split, s.pictures, s.captions, s.identities, s.folder] for s in found.splits
    ]
    columns = ["for", "data set", "split", "pictures", "captions", "identities", "folder"]
    print("\n" + render_table(columns, rows, width=width))
    print("\n" + render_table(["part", "parameters", "trainable", "share"], _part_rows(found), width=width))
    print()
    for line in _facts(found):
        print(filled(line, width) if width else line)
    print("\n" + render_table(["file", "size", "what it is"], _file_rows(found), width=width))
    print("\n" + (filled(found.room, width) if width else found.room))


def _part_rows(found: DryRun) -> list[list[Cell]]:
    parts = [(part.name, part.parameters, part.trainable) for part in found.parts]
    total = ("total", sum(part[1] for part in parts), sum(part[2] for part in parts))
    return [
        [name, f"{parameters:,}", f"{trainable:,}", f"{100 * trainable / max(1, parameters):.1f} %"]
        for name, parameters, trainable in [*parts, total]
    ]


def _file_rows(found: DryRun) -> list[list[Cell]]:
    return [
        [each.name, f"{in_words(each.bytes)}{f' x {each.count}' if each.count > 1 else ''}", each.about]
        for each in found.files
    ]


def _facts(found: DryRun) -> list[str]:
    """Say what a pair, a step and an epoch cost."""
    step = found.step
    flops = "the operations of a pair cannot be counted"
    if found.forward_flops is not None and found.step_flops is not None:
        forward, both = (f"{value / 1e9:.3g} GFLOPs" for value in (found.forward_flops, found.step_flops))
        flops = f"a pair: {forward} forward, {both} forward and backward (multiply and add are two)"
    passing = f" ({_time(found.pass_seconds)} of it passes of hooks over all pairs)" if found.pass_seconds else ""
    begins = f"goes on from {found.goes_on_from}" if found.goes_on_from else "begins anew"
    return [
        flops,
        f"a step of {found.batch_size} pairs: {_time(step.seconds)}, loading them {_time(step.loading_seconds)} in one"
        f" process ({_steps(step.steps)} done on {found.device}); about {in_words(step.memory)} of memory with the"
        f" model ({step.memory_of})",
        f"an epoch of {_steps(found.steps)}: about {_time(found.epoch_seconds)}{passing}, validation aside; it"
        f" {begins}, {found.epochs_left} of {found.epochs} epochs: about"
        f" {_time(found.epoch_seconds * found.epochs_left)}",
    ]


def _steps(count: int) -> str:
    return f"{count} step{'s' if count != 1 else ''}"


def _time(seconds: float) -> str:
    """Return a time for people.

    >>> _time(0.0123), _time(95), _time(9000)
    ('12 ms', '95 s', '2.5 h')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
