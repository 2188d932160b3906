"""Embedding a data set, measuring how well captions find pictures, and keeping both."""
