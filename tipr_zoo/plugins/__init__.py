"""Plugins, found and judged without being imported."""
