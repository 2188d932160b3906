"""Drawings of the rooms of tipr-zoo, made from the imports and from the floors that pyproject.toml names.

``python -m tools.draw_rooms`` from the top folder writes them; with ``--check`` it compares and writes nothing.
"""
