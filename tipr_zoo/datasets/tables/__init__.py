"""Anybody's own pictures and captions, from one table."""
