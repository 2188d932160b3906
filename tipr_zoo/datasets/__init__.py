"""Data sets of person pictures with captions. Reading one needs no torch.

Importing this package registers the data sets that the zoo reads.
"""

from __future__ import annotations

from tipr_zoo.datasets.annotations import Record
from tipr_zoo.datasets.check import CheckReport, CountRow, Finding, check_dataset
from tipr_zoo.datasets.cuhk_pedes import CUHKPEDES
from tipr_zoo.datasets.icfg_pedes import ICFGPEDES
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.recognition import open_dataset, recognise_dataset
from tipr_zoo.datasets.rstpreid import RSTPReid
from tipr_zoo.datasets.specification import SPLITS, DatasetSpecification, SplitCounts
from tipr_zoo.datasets.synth_pedes import SynthPEDES

__all__ = [
    "CUHKPEDES",
    "ICFGPEDES",
    "SPLITS",
    "CheckReport",
    "CountRow",
    "DatasetSpecification",
    "Finding",
    "PersonDataset",
    "RSTPReid",
    "Record",
    "SplitCounts",
    "SynthPEDES",
    "check_dataset",
    "open_dataset",
    "recognise_dataset",
]
