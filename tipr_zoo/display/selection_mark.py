"""The dagger for figures that are too good: the epoch of their weights was chosen on the test split."""

from __future__ import annotations

TEST_SELECTION_LEGEND = "† the epoch of these weights was chosen on the test split"


def marked(name: str, selected_on: str | None) -> str:
    """Return a name, with a dagger where the epoch was chosen on the test split.

    >>> marked("irra_tiny_synth", "test"), marked("irra_tiny_synth", "val")
    ('irra_tiny_synth †', 'irra_tiny_synth')

    Args:
        name: The name in the table.
        selected_on: One of `tipr_zoo.cards.record.SELECTED_ON`, or None where it is not known.
    """
    return f"{name} †" if selected_on == "test" else name
