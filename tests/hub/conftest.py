"""The stand-in for the Hub, where tests of this room ask for it."""

from stand_in_hub import hub, offline

__all__ = ["hub", "offline"]
