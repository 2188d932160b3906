"""Pictures to be searched."""
