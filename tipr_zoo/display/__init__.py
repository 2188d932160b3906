"""Turning results into tables and pictures."""
