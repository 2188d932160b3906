"""What ``tipr-zoo eval --presence`` prints of single answers."""

from __future__ import annotations

from tipr_zoo.cards.answers import LEVELS, MeasuredAnswers
from tipr_zoo.display.tables import Cell, render_table, terminal_width

_SHARES = {"half": 0.5, "1 of 5": 0.8, "1 of 20": 0.95}


def answers_report(answers: MeasuredAnswers) -> str:
    """Return tables with words around them.

    Args:
        answers: What was measured.
    """
    parts = [_galleries(answers), _short_captions(answers)]
    if answers.calibration:
        parts.append(_calibration(answers))
    return "\n\n".join(parts)


def _galleries(answers: MeasuredAnswers) -> str:
    columns = ["persons", "pictures", "AUC", *(f"absent, {name}" for name in _SHARES), "present, half"]
    rows: list[list[Cell]] = [
        [
            each.persons,
            each.pictures,
            f"{each.auc:.3f}",
            *(f"{each.absent[LEVELS.index(level)]:.3f}" for level in _SHARES.values()),
            f"{each.present[LEVELS.index(0.5)]:.3f}",
        ]
        for each in answers.galleries
    ]
    return (
        "Is anybody here? Of searches for somebody who is absent, so many have a best score above; half of those for"
        f" somebody\nwho is present. AUC: how often the score of one who is present is higher.\n"
        f"{render_table(columns, rows, width=terminal_width())}"
    )


def _short_captions(answers: MeasuredAnswers) -> str:
    rows: list[list[Cell]] = [[each.words, f"{each.R1:.2f}"] for each in answers.short_captions]
    table = render_table(["describing words", "R1"], rows, width=terminal_width())
    return f"Captions cut after so many different words that describe; the last are whole.\n{table}"


def _calibration(answers: MeasuredAnswers) -> str:
    persons = list(dict.fromkeys(each.persons for each in answers.calibration))
    stated = list(dict.fromkeys(each.stated for each in answers.calibration))
    found = {(each.persons, each.stated): each.found for each in answers.calibration}
    rows: list[list[Cell]] = [[number, *(f"{found[number, level]:.3f}" for level in stated)] for number in persons]
    table = render_table(["persons", *(f"{level:g}" for level in stated)], rows, width=terminal_width())
    return (
        "The curve of the card, of other data: for which share of searches for somebody absent it states at most that"
        f" chance.\n{table}"
    )
