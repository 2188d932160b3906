"""What a killed command may leave behind, and what the same command must make of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.machine.whole_file import ABANDONED_AFTER, is_part
from tools.kill_commands.cases import Case
from tools.kill_commands.running import Ended, Moment, run, state

CACHE, LOCK = "home/", ".lock"

_OF_A_RUN = re.compile(r"\d{8}_\d{6}")
"""What MMEngine begins a run with: a log and a copy of the recipe, which nobody reads. The next run removes them."""


@dataclass(frozen=True)
class Undisturbed:
    """What a command does where nobody kills it.

    Attributes:
        case: The command.
        before: The folder that it begins with.
        ended: How it ended.
        after: Hash of every result by its path.
    """

    case: Case
    before: Path
    ended: Ended
    after: dict[str, str]


def undisturbed(case: Case, before: Path, work: Path) -> Undisturbed:
    """Run a command twice in copies of one folder.

    Raises:
        ValueError: It fails, or its results differ by themselves.
    """
    found = []
    for _ in range(2):
        _renew(work, before)
        ended = run(case.words, work, is_watched=True)
        if ended.code not in (0, 1) or "Traceback" in ended.err:
            raise ValueError(f"exit code {ended.code}: {ended.err.strip()[-2000:]}")
        found.append(_results(work, case))
    if found[0] != found[1]:
        names = sorted(name for name, digest in found[0].items() if found[1].get(name) != digest)
        raise ValueError(f"its results differ by themselves: {', '.join(names) or 'other files'}")
    return Undisturbed(case, before, ended, found[0])


def killed(normal: Undisturbed, work: Path, moment: Moment, is_aged: bool) -> tuple[bool, list[str]]:
    """Kill a command at a moment, look at what it leaves, and run it once more.

    Args:
        normal: What it does undisturbed.
        work: Where it runs.
        moment: When it is killed.
        is_aged: Whether the next run comes so late that the parts are abandoned.

    Returns:
        Whether it was killed before it had ended, and every fault in a few words.
    """
    _renew(work, normal.before)
    try:
        ended = run(normal.case.words, work, moment)
        faults = [*_torn(normal, work), *_untidy(ended, moment, work)]
        was_whole = _results(work, normal.case) == normal.after
        if is_aged:
            _age(work)
        again = run((*normal.case.words, *normal.case.again), work)
    except TimeoutError as error:
        return True, [str(error)]
    faults += _different(normal, work, again, was_whole)
    if is_aged and again.code != 2 and (left := [name for name in state(work) if is_part(Path(name).name)]):
        faults.append(f"a part stays: {left[0]}")
    return ended.code in (-moment.signal, 128 + moment.signal), faults


def _untidy(ended: Ended, moment: Moment, work: Path) -> Iterator[str]:
    """Yield what a command that could end in order has not done."""
    if moment.signal == signal.SIGKILL:
        return
    lines = [line for line in ended.err.replace("\r", "\n").splitlines() if line.strip()]
    if "Traceback" in ended.err or "Exception ignored" in ended.err:
        yield f"a traceback: {lines[-1]}"
    if ended.code not in (0, 1, 128 + moment.signal, -moment.signal):
        yield f"ends with {ended.code}: {(lines or [''])[-1]}"
    if ended.code == 128 + moment.signal and not ("interrupted" in lines[-1] or "stopped by" in lines[-1]):
        yield f"its last line is {lines[-1]!r}"
    if left := [name for name in state(work) if is_part(Path(name).name) and not name.startswith(CACHE)]:
        yield f"a part is left: {left[0]}"


def _torn(normal: Undisturbed, work: Path) -> Iterator[str]:
    """Yield what is neither the old nor the new file, nor one between them."""
    known = normal.ended.states | set(normal.after.items()) | set(state(normal.before).items())
    for name, digest in state(work).items():
        path = work / name
        if any(is_part(part) or _OF_A_RUN.match(part) for part in Path(name).parts):
            continue
        if (name, digest) in known or path.name == LOCK or name.startswith(CACHE):
            continue
        if not (path.name in normal.case.changing or _is_weights(path)):
            yield f"torn: {name} ({path.stat().st_size} bytes)"


def _different(normal: Undisturbed, work: Path, again: Ended, was_whole: bool) -> Iterator[str]:
    """Yield what differs from an undisturbed run after the command ran once more."""
    last = (again.err.strip().splitlines() or [""])[-1]
    is_refused = normal.case.refuses_finished and was_whole and again.code == 2
    if again.code != normal.ended.code and not is_refused:
        yield f"the next run ends with {again.code}: {last}"
    if "Traceback" in again.err or "damaged" in again.err:
        yield f"the next run says: {last}"
    found = _results(work, normal.case)
    if different := sorted(set(found.items()) ^ set(normal.after.items())):
        yield f"the next run gives another {', '.join(sorted({name for name, _ in different}))}"
    if normal.case.is_told and again.out != normal.ended.out:
        yield "the next run prints something else"


def _results(work: Path, case: Case) -> dict[str, str]:
    """Return the hash of every file that is a result: no cache, lock or part, and nothing that holds times."""
    return {
        name: digest
        for name, digest in state(work).items()
        if not name.startswith(CACHE)
        and Path(name).name not in (LOCK, *case.changing)
        and not any(is_part(part) for part in Path(name).parts)
    }


def _is_weights(path: Path) -> bool:
    """Return whether a checkpoint or weights between the first and the last can be read as a whole."""
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".pth":
            torch.load(path, weights_only=True)
        elif path.suffix == ".safetensors":
            load_file(path)
        elif path.name == "reproduction.json":
            json.loads(path.read_text())
        else:
            return False
    except Exception:
        return False
    return True


def _age(work: Path) -> None:
    """Make every part so old that its writer is known to be gone."""
    old = time.time() - ABANDONED_AFTER - 60
    for folder, folders, names in os.walk(work):
        for name in (*folders, *names):
            if is_part(name) or any(is_part(part) for part in Path(folder).relative_to(work).parts):
                os.utime(Path(folder, name), (old, old))


def _renew(work: Path, before: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(before, work)
