"""The dagger of figures that flatter themselves: the epoch of their weights was chosen on the test split."""

from __future__ import annotations

TEST_SELECTION_LEGEND = "† the epoch of these weights was chosen on the test split"


def marked(name: str, selected_on: str | None) -> str:
    """A name, with a dagger where the epoch was chosen on the test split.

    Args:
        name: What the table shows.
        selected_on: One of `tipr_zoo.cards.record.SELECTED_ON`, or None where nothing says so.
    """
    return f"{name} †" if selected_on == "test" else name
