"""Schemas: what a file must hold is declared once, as a dataclass that pydantic checks."""
