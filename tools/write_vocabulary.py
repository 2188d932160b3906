"""Write the vocabulary of the captions that the tiny models were trained on, from SynthPEDES's rules alone.

    python -m tools.write_vocabulary [FILE]

No picture is drawn: captions depend on the seed, the split and the place in it. The cards of the tiny models name the
file by its hash, which is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.synthpedes.identity import identities
from tipr_zoo.synthpedes.records import split_records
from tipr_zoo.vocabulary.vocabulary import Vocabulary, vocabulary_of

FILE = Path(__file__).parents[1] / "model_cards" / "vocabularies" / "synthpedes_seed0_train3000.json"

COUNTS = {"train": 3000, "val": 100, "test": 200}
PICTURES, SEED = 4, 0


def training_words(people: int = COUNTS["train"]) -> Vocabulary:
    """Return the words of the training captions.

    Args:
        people: Training identities, the first ones.
    """
    counts = COUNTS | {"train": people}
    records = split_records("train", identities("train", people, seed=SEED), counts, PICTURES, SEED)
    return vocabulary_of(caption for record in records for caption in record["captions"])


def main() -> None:
    """Write the file and print its hash."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    file = parser.parse_args().file
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, (training_words().text() + "\n").encode())
    print(f"{file}: sha256 {file_sha256(file)}")


if __name__ == "__main__":
    main()
