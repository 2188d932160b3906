"""What each part of SEN adds on SynthPEDES: the recipe of sen_tiny_synth, part by part, over several seeds.

    python plugins/sen/ablation.py [--seeds 0 1 2] [--jobs 2] [--work-dir work_dirs/ablation]

Every row is the recipe with later parts left out; data, sampler, budget and seeds are the same in all. Each run chooses
its epoch on the validation split and is measured on the test splits of two SynthPEDES, drawn with data seeds 0 and 1.
Runs that were stopped go on where they were, and finished ones are not run again: after changing the recipe, take
another --work-dir. The table is Markdown.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.display.tables import render_table
from tipr_zoo.evaluation.embedding import evaluate
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.training.pairs.training_data import open_training_data

MODEL = "sen_tiny_synth"
CMT, TIR, PRUNING = "model.losses.cmt", "model.heads.tir", "training.caption_augmentation"
ROWS: dict[str, dict[str, Any]] = {
    "SDM + ID": {CMT: None, TIR: None, PRUNING: None},
    "+ CMT": {TIR: None, PRUNING: None},
    "+ TIR": {PRUNING: None},
    "+ pruning (SEN)": {},
}
METRICS = ("R1", "R10", "mAP")


def run_folder(work_dir: Path, row: str, seed: int) -> Path:
    """Return the folder of one training: 1_sdm_id_seed0, 2_cmt_seed0, ..."""
    name = "_".join("".join(c if c.isalnum() else " " for c in row.lower()).split())
    return work_dir / f"{list(ROWS).index(row) + 1}_{name}_seed{seed}"


def train(work_dir: Path, row: str, seed: int, threads: int) -> None:
    """Train one row with one seed in its own process, unless its weights are there already."""
    folder = run_folder(work_dir, row, seed)
    if (folder / f"{MODEL}.safetensors").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    options = [f"{key}={value}" for key, value in {**ROWS[row], "training.seed": seed}.items()]
    command = [sys.executable, "-m", "tipr_zoo", "train", MODEL, "--work-dir", str(folder), "--resume"]
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        done = subprocess.run(
            [*command, "--cfg-options", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{row}, seed {seed}: training ended with {done.returncode}; see {folder / 'log.txt'}")
    print(f"trained: {row}, seed {seed}", file=sys.stderr, flush=True)


def measure(work_dir: Path, row: str, seed: int, data: Path) -> dict[str, float]:
    """Return the figures of one training on a test split."""
    weights = run_folder(work_dir, row, seed) / f"{MODEL}.safetensors"
    model = tipr_zoo.build(MODEL, weights=weights, overrides=ROWS[row])
    return dict(evaluate(model, open_dataset(str(data), split="test")))


def table(figures: Mapping[str, list[dict[str, float]]], seeds: list[int]) -> str:
    """Return a table with a line for each row: rank-1 of each seed, then mean and standard deviation over the seeds."""
    rows: list[list[str | float]] = []
    for row, runs in figures.items():
        line: list[str | float] = [row, *(run["R1"] for run in runs)]
        for metric in METRICS:
            values = [run[metric] for run in runs]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            line.append(f"{statistics.mean(values):.2f}{spread}")
        rows.append(line)
    return render_table(["parts", *(f"seed {seed}" for seed in seeds), *METRICS], rows, "markdown")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="training seeds (default 0 1 2)")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (default 1)")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/ablation"), help="where everything is kept")
    options = parser.parse_args()
    options.seeds = list(dict.fromkeys(options.seeds))
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")

    open_training_data(resolve(MODEL), None)  # draws missing data here, before several trainings would
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = [
            pool.submit(train, options.work_dir, row, seed, threads) for seed in options.seeds for row in reversed(ROWS)
        ]
        try:
            for run in as_completed(runs):
                run.result()
        except BaseException:  # after a failed run or Ctrl-C, no other run begins
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for data_seed in (0, 1):
        data = options.work_dir / f"synthpedes_test_seed{data_seed}"
        draw_synthpedes(data, seed=data_seed, splits=("test",))
        figures = {row: [measure(options.work_dir, row, seed, data) for seed in options.seeds] for row in ROWS}
        print(
            f"\nSynthPEDES, test split, data seed {data_seed}; R1 by training seed, then mean and standard deviation\n"
        )
        print(table(figures, options.seeds))


if __name__ == "__main__":
    main()
