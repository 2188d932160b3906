"""Searching pictures."""
