"""Losses without parameters. Importing this package registers them in ``tipr_zoo.registries.LOSSES``."""

from tipr_zoo.losses.cmpm import CMPM
from tipr_zoo.losses.itc import ITC
from tipr_zoo.losses.sdm import SDM

__all__ = ["CMPM", "ITC", "SDM"]
