"""The loop: so many kills, spread over the commands and over moments, and a table of what came of them."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.kill_commands.cases import CASES, Case, prepare_inputs
from tools.kill_commands.judging import Undisturbed, killed, undisturbed
from tools.kill_commands.running import Ended, Moment, run


def main() -> int:
    """Kill commands, print the table, and return 1 where there was a fault."""
    parser = argparse.ArgumentParser(prog="python -m tools.kill_commands", description=__doc__)
    parser.add_argument("--times", type=int, default=300, help="kills, of all commands together (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="decides the moments (default: 0)")
    parser.add_argument(
        "--signal", choices=("KILL", "TERM", "INT", "HUP"), default="KILL", help="what a command gets (default: KILL)"
    )
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="COMMAND", help="; ".join(CASES))
    parser.add_argument("--without", nargs="+", choices=CASES, metavar="COMMAND", default=[], help="leave these out")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    _import_everything()
    names = [name for name in arguments.only or CASES if name not in arguments.without]
    chance, faults = random.Random(arguments.seed), 0
    print(f"{'command':36}{'kills':>6}{'ended first':>13}{'survived':>10}{'faults':>8}{'seconds':>9}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kill_commands-") as folder:
        inputs = _inputs(Path(folder))
        for place, name in enumerate(names):
            share = len(range(place, arguments.times, len(names)))
            moments = Moments(share, getattr(signal, f"SIG{arguments.signal}"), chance)
            faults += _kill(name, CASES[name], moments, inputs, Path(folder))
    print(f"{faults} faults")
    return int(faults > 0)


@dataclass(frozen=True)
class Moments:
    """How many moments to choose, for which signal, and by which dice."""

    times: int
    signal: int
    chance: random.Random

    def of(self, normal: Undisturbed) -> list[Moment]:
        """Choose moments: most before a change of a file, some within a write, the others at random."""
        changes = [Moment("change", number, self.signal) for number in range(len(normal.ended.changes))]
        halves = [Moment("half", number, self.signal) for number in range(normal.ended.writes)]
        chosen = self.chance.sample(changes, min(len(changes), -(-self.times // 2)))
        chosen += self.chance.sample(halves, min(len(halves), self.times // 5))
        seconds = [self.chance.uniform(0, normal.ended.seconds) for _ in range(self.times - len(chosen))]
        chosen = (chosen + [Moment("time", at, self.signal) for at in seconds])[: self.times]
        self.chance.shuffle(chosen)
        return chosen


def _kill(name: str, case: Case, moments: Moments, inputs: Path, folder: Path) -> int:
    """Kill one command some times, print its row and its faults, and return how many kills had one."""
    started, before, work = time.monotonic(), folder / "before", folder / "work"
    try:
        _prepare(case, inputs, before, work)
        normal = undisturbed(case, before, work)
    except (ValueError, TimeoutError) as error:
        print(f"{name:36}cannot be tried: {error}")
        return 1
    _import(normal.ended)
    lines, late, bad = [], 0, 0
    for number, moment in enumerate(moments.of(normal)):
        was_killed, faults = killed(normal, work, moment, is_aged=number % 2 == 1)
        late += not was_killed
        bad += bool(faults)
        changes = normal.ended.changes
        where = f", before {changes[int(moment.at)]}" if moment.kind == "change" else ""
        lines += [f"    {moment}{where}: {fault}" for fault in faults]
    seconds = time.monotonic() - started
    print(
        f"{name:36}{moments.times:6}{late:13}{moments.times - bad:10}{bad:8}{seconds:9.0f}",
        *lines,
        sep="\n",
        flush=True,
    )
    return bad


def _prepare(case: Case, inputs: Path, before: Path, work: Path) -> None:
    """Make the folder that a command begins with."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(inputs, work)
    for words in case.before:
        ended = run(words, work)
        if ended.code not in (0, 1):
            raise ValueError(f"exit code {ended.code} of {words}: {ended.err.strip()[-2000:]}")
        _import(ended)
    shutil.rmtree(before, ignore_errors=True)
    shutil.copytree(work, before)


def _inputs(folder: Path) -> Path:
    """Make what all commands read, in a process of its own: PyTorch must not compute before this one forks."""
    inputs, work = folder / "inputs", folder / "work"
    inputs.mkdir()
    if (process := os.fork()) == 0:
        code = 1
        try:
            prepare_inputs(inputs)
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(process, 0)[1]:
        raise SystemExit("the inputs cannot be made")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(inputs, work)
    words = ("eval", "irra_tiny_synth", "--data", "data", "--device", "cpu", "--weights", "tiny.safetensors")
    ended = run((*words, "--records", "records"), work)
    if ended.code:
        raise SystemExit(f"no record to begin with: {ended.err}")
    _import(ended)
    (record,) = (work / "records").glob("*.json")
    shutil.copy(record, inputs / "record.json")
    return inputs


def _import_everything() -> None:
    """Import all of the zoo, so that a forked process has nothing left to import."""
    import torch

    import tipr_zoo

    torch.set_num_threads(1)
    for module in pkgutil.walk_packages(tipr_zoo.__path__, "tipr_zoo."):
        if not module.name.endswith("__main__") and ".configs" not in module.name:
            importlib.import_module(module.name)


def _import(ended: Ended) -> None:
    """Import what a command had to import, so that the next one need not. Not plugins, which register components."""
    for name in ended.modules:
        if name not in sys.modules and not name.startswith(("tipr_zoo", "__")):
            with suppress(Exception):
                importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
