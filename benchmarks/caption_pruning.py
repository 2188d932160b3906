"""Time of pruning captions beside that of tokenizing them, and how far the two taggers agree.

    python benchmarks/caption_pruning.py [--repeats 5] [--data DIR]

10,000 captions are pruned as a training does it: tagged the first time, and read from the cache afterwards, with the
same result. Reading must cost less than tokenizing them, which a training does as well. Then the words that TextBlob's
tagger keeps are compared with those that NLTK's averaged perceptron keeps, where its model is on this machine.

The captions are those of SynthPEDES, or those of the training split of the data set in DIR.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from captions import synthetic_captions
from prettytable import PrettyTable
from tipr_zoo_sen.part_of_speech import Tagger, load_tagger, tag_caption
from tipr_zoo_sen.pruned_captions import KEPT_TAGS, pruned_captions

from tipr_zoo.datasets import open_dataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.tokenizers.clip import CLIPTokenizer

T = TypeVar("T")

COUNT = 10_000
TOKENIZING, READING = "tokenizing", "pruning, from the cache"


def timed(run: Callable[[Sequence[str]], T], captions: Sequence[str]) -> tuple[float, T]:
    """Return the seconds of one run, and its result."""
    start = time.perf_counter()
    result = run(captions)
    return time.perf_counter() - start, result


def compare_times(captions: Sequence[str], repeats: int) -> None:
    tokenize = CLIPTokenizer()
    load_tagger("pattern")(["warm"])  # loads the model
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TIPR_ZOO_HOME"] = cache
        tagging, tagged = timed(pruned_captions, captions)
        seconds: dict[str, list[float]] = {TOKENIZING: [], READING: []}
        for _ in range(1 + repeats):  # in turns; the first round is not counted
            seconds[TOKENIZING].append(timed(tokenize, captions)[0])
            once, read = timed(pruned_captions, captions)
            assert read == tagged, "the cache holds something else"
            seconds[READING].append(once)
    rows = PrettyTable(["way", "median (s)", "fastest (s)", "slowest (s)"], align="r")
    for way, (_, *counted) in seconds.items():
        rows.add_row([way, *(f"{value:.3f}" for value in (statistics.median(counted), min(counted), max(counted)))])
    shorter = 1 - sum(len(caption.split()) for caption in tagged) / sum(len(caption.split()) for caption in captions)
    print(f"{len(captions):,} captions, which pruning makes shorter by {100 * shorter:.0f} % of their words")
    print(rows)
    print(f"tagging them the first time takes {tagging:.2f} s, {1e3 * tagging / len(captions):.2f} ms a caption")
    ratio = statistics.median(seconds[TOKENIZING][1:]) / statistics.median(seconds[READING][1:])
    assert ratio > 1, "pruning from the cache costs more than tokenizing"
    print(f"from the cache they are the same, {ratio:.0f}x faster than tokenizing them (medians of {repeats} runs)\n")


def compare_taggers(captions: Sequence[str]) -> None:
    try:
        nltk = load_tagger("nltk")
    except ConfigError as error:
        print(f"agreement with NLTK's perceptron: its model is not at hand ({error})\n")
        return
    ours, theirs = (kept_words(captions, tagger) for tagger in (load_tagger("pattern"), nltk))
    words = sum(map(len, ours))
    alike = sum(
        mine == other for one, two in zip(ours, theirs, strict=True) for mine, other in zip(one, two, strict=True)
    )
    same = sum(one == two for one, two in zip(ours, theirs, strict=True))
    print(f"TextBlob's and NLTK's taggers keep or drop {100 * alike / words:.1f} % of {words:,} words alike,")
    print(f"and prune {100 * same / len(captions):.1f} % of the captions to the same words\n")


def kept_words(captions: Sequence[str], tagger: Tagger) -> list[list[bool]]:
    """Tell for each word of each caption whether it is kept."""
    return [[tag.startswith(KEPT_TAGS) for _, tag in tag_caption(caption, tagger)] for caption in captions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="counted runs of each (default 5)")
    parser.add_argument("--data", metavar="DIR", help="a data set to take captions from (default: SynthPEDES)")
    options = parser.parse_args()

    captions = open_dataset(options.data, split="train").captions if options.data else synthetic_captions(COUNT)
    compare_times(captions[:COUNT], options.repeats)
    compare_taggers(captions[:COUNT])
    print(f"on {os.cpu_count()} cores, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
