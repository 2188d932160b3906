"""Kills processes that write into a gallery in a folder, and looks whether anything is lost, there twice or torn.

    python -m tools.kill_gallery --times 50

A folder of drawn people is added, refreshed after changes, removed from a gallery and copied into another one, each in
a process of its own. That one is killed (SIGKILL) at a random moment of its work, up to three times in a row, and then
runs to its end. All are forks of one process that has loaded the model, so that a kill costs no new start.

After every kill the gallery must open, hold all rows that were acknowledged and none that was removed, no row twice,
and with each row the vector of the content that it names; ``check`` must find it sound, and a search all of it. After
the run that is not killed it must hold the same as one that nobody killed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.gallery_model import GalleryModel
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
from tipr_zoo.gallery.records import key_of
from tipr_zoo.machine.whole_file import is_part
from tipr_zoo.synthpedes import draw_synthpedes
from tools.killed_work import ADDED, MODEL, Kind, Workplace, add_work, copy_work, held_of, refresh_work, remove_work

LONGEST = 300.0
"""Seconds after which a process is taken for one that hangs."""

IN_A_ROW = 3
"""Kills before a run to the end, at most."""

_KEY = 32
"""Letters of a row's key."""


@dataclass
class Trial:
    """What was tried and found of one kind of work.

    Attributes:
        place: The folder of everything.
        kind: The work.
        kills: How many processes were killed before they ended.
        runs: How many ran to their end after that.
        acknowledged: How many rows were acknowledged by processes that were killed.
        faults: What was wrong.
    """

    place: Workplace
    kind: Kind
    kills: int = 0
    runs: int = 0
    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Say the counts, and the first faults, a line each."""
        counts = (
            f"{self.kind.name}: {self.kills} kills, {self.acknowledged} rows acknowledged before them, {self.runs} runs"
            f" to the end, {len(self.faults)} faults"
        )
        return "\n  ".join([counts, *self.faults[:5]])


def main() -> int:
    """Kill, look, and return 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description="Kill processes that write into a gallery, and look what is left.")
    parser.add_argument("--times", type=int, default=50, help="kills of each kind (default: 50)")
    parser.add_argument("--people", type=int, default=24, help="people to draw, four pictures each (default: 24)")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments (default: another each time)")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    torch.set_num_threads(1)  # a process with further threads cannot be forked safely
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        draw_synthpedes(work / "data", train=arguments.people, val=2, test=2, pictures=4, workers=1)
        os.rename(work / "data" / "imgs" / "train", work / "pictures")
        model = GalleryModel(MODEL, None)
        model.whole()
        model.embed_sentences(["a man"])
        place, wrong = Workplace(work, model, EmbeddingSettings(batch_size=4, workers=0)), 0
        for kind_of in (add_work, remove_work, copy_work, refresh_work):  # the last one changes the pictures
            trial = Trial(place, kind_of(place))
            _kill(trial, arguments.times)
            wrong += len(trial.faults)
            print(trial.line(), flush=True)
    return 1 if wrong else 0


def _kill(trial: Trial, times: int) -> None:
    """Begin, kill, look and finish, until there were so many kills."""
    kind, vector_of = trial.kind, dict[str, bytes]()
    for content, vector in [*kind.before.values(), *kind.after.values()]:
        vector_of.setdefault(content, vector)
    seconds = LONGEST
    for _ in range(2):  # the first one reads files that are not in memory yet
        kind.begin()
        seconds = min(seconds, _run(trial, None)[1])
    while trial.kills < times:
        kind.begin()
        added: set[str] = set(kind.before) & set(kind.after)
        deleted: set[str] = set()
        for _ in range(random.randint(1, IN_A_ROW)):
            told, _ = _run(trial, random.uniform(0, seconds))
            for mark, key in told:
                (added if mark == ADDED else deleted).add(key)
                (deleted if mark == ADDED else added).discard(key)
            _look(trial, vector_of, added, deleted)
        _run(trial, None)
        trial.runs += 1
        _look_at_the_end(trial, vector_of)


def _run(trial: Trial, seconds: float | None) -> tuple[list[tuple[bytes, str]], float]:
    """Do the work in a process of its own, and kill it so many seconds after it began; None lets it end.

    Returns:
        What it acknowledged, and the seconds that it took.
    """
    reads, writes = os.pipe()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            os.close(reads)
            trial.kind.change(writes)
            code = 0
        except BaseException:  # nothing of this process may go on in the tool
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writes)
    os.read(reads, 1)  # that it is ready
    started = time.monotonic()
    deadline = started + (LONGEST if seconds is None else seconds)
    os.set_blocking(reads, False)
    content = b""
    while True:
        content += _available(reads)
        ended, status = os.waitpid(process, os.WNOHANG)
        if not ended and time.monotonic() >= deadline:
            os.kill(process, signal.SIGKILL)
            ended, status = os.waitpid(process, 0)
        if ended:
            break
        time.sleep(0.0005)
    content += _available(reads)
    os.close(reads)
    was_killed = os.WIFSIGNALED(status)
    trial.kills += was_killed and seconds is not None
    if status and (seconds is None or not was_killed):
        trial.faults.append(f"a process ended by itself, or hung, with {os.waitstatus_to_exitcode(status)}")
    size = 1 + _KEY
    told = [(content[at : at + 1], content[at + 1 : at + size].decode()) for at in range(0, len(content), size)]
    trial.acknowledged += len(told) if was_killed else 0
    return told, time.monotonic() - started


def _available(descriptor: int) -> bytes:
    content = b""
    try:
        while part := os.read(descriptor, 1 << 16):
            content += part
    except BlockingIOError:
        pass
    return content


def _look(trial: Trial, vector_of: dict[str, bytes], added: set[str], deleted: set[str]) -> None:
    """Note what is wrong with the gallery after a kill."""
    kind, place = trial.kind, trial.place
    try:
        gallery = place.open(place.killed)
    except GalleryError as error:
        if kind.before or added or place.killed.exists():
            trial.faults.append(str(error))
        return
    with gallery:
        held = held_of(gallery)
        rows = [row.key for row in gallery._engine.rows()]
        if len(rows) != len(held) or len(gallery) != len(held):
            trial.faults.append(f"{len(rows)} rows of {len(held)} pictures, counted as {len(gallery)}")
        if lost := added - set(held):
            trial.faults.append(f"{len(lost)} acknowledged rows are lost, {min(lost)} among them")
        if back := deleted & set(held):
            trial.faults.append(f"{len(back)} removed rows are there, {min(back)} among them")
        if torn := [key for key, (content, vector) in held.items() if not _is_near(vector, vector_of.get(content))]:
            trial.faults.append(f"{len(torn)} rows have the vector of another content, {torn[0]} among them")
        report = gallery.check()
        if report.damaged or (kind.is_sound_meanwhile and not report.is_sound):
            trial.faults += report.lines()
        hits = gallery.search("a man", top=len(held) + 1) if held else []
        if sorted(key_of(str(hit.picture)) for hit in hits) != sorted(held):
            trial.faults.append(f"a search finds {len(hits)} of {len(held)} rows, or others")


def _is_near(vector: bytes, other: bytes | None) -> bool:
    """Tell whether two vectors are of the same picture; pictures beside it in a batch change its last digits."""
    return other is not None and bool(np.allclose(np.frombuffer(vector, "f4"), np.frombuffer(other, "f4"), atol=1e-5))


def _look_at_the_end(trial: Trial, vector_of: dict[str, bytes]) -> None:
    """Note what is wrong with the gallery after a run that nobody killed."""
    kind, place = trial.kind, trial.place
    _look(trial, vector_of, set(kind.after), set(kind.before) - set(kind.after))
    with place.open(place.killed) as gallery:
        held = held_of(gallery)
        if {key: content for key, (content, _) in held.items()} != {key: one[0] for key, one in kind.after.items()}:
            trial.faults.append(f"{len(held)} rows are there at the end instead of {len(kind.after)}, or others")
        if not gallery.check().is_sound:
            trial.faults += gallery.check().lines()
    parts = [path for path in place.work.iterdir() if is_part(path.name)]
    for path in parts:
        os.utime(path, (0, 0))  # long after the kill, whatever is made beside it takes it away
    place.create(place.work / "another").close()
    if left := [path.name for path in parts if path.exists()]:
        trial.faults.append(f"{', '.join(left)} was left behind")


if __name__ == "__main__":
    sys.exit(main())
