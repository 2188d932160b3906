"""Schemas: a dataclass declares what a file must hold, and pydantic checks it."""
