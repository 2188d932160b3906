"""Checking a data set on disk."""
