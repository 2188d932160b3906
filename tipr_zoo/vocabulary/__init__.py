"""Words of sentences: known ones, near ones, negations."""
