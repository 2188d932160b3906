"""How many sentences that deny something are told, and how many that deny nothing.

`python -m tools.negation_counts` prints the counts of docs/answers.md, and which sentences are judged wrongly.
"""

from __future__ import annotations

from pathlib import Path

from tipr_zoo.vocabulary.negations import negated_phrases

SENTENCES = Path(__file__).parents[1] / "tests" / "vocabulary"


def sentences(name: str) -> list[str]:
    """Return the sentences of a file.

    Args:
        name: Of the file in `SENTENCES`.
    """
    return [line for line in (SENTENCES / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]


def main() -> None:
    """Print the counts and the sentences that are judged wrongly."""
    for name, is_told in (("negating_sentences.txt", True), ("affirming_sentences.txt", False)):
        written = sentences(name)
        told = [sentence for sentence in written if negated_phrases(sentence)]
        print(f"{name}: {len(told)} of {len(written)} are told")
        for sentence in written:
            if bool(negated_phrases(sentence)) is not is_told:
                print(f"  {'missed' if is_told else 'told in vain'}: {sentence}")


if __name__ == "__main__":
    main()
