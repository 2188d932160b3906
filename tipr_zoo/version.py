"""The version of tipr-zoo, in one place."""

__version__ = "0.1.0"
