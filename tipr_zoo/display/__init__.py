"""Rows turned into something to look at: tables and pictures."""
