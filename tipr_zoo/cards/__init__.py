"""What is written down of a model: its card, the records behind its figures, and where on the Hub things are."""
