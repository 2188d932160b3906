"""Data sets of person pictures with captions. Reading one needs no torch.

Importing this package registers the data sets that the zoo reads.
"""

from __future__ import annotations

from tipr_zoo.datasets.check import check_dataset
from tipr_zoo.datasets.cuhk_pedes import CUHKPEDES
from tipr_zoo.datasets.custom import CustomDataset
from tipr_zoo.datasets.findings import CheckReport, CountRow, Finding
from tipr_zoo.datasets.icfg_pedes import ICFGPEDES
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.recognition import open_dataset, recognise_dataset
from tipr_zoo.datasets.record import Record
from tipr_zoo.datasets.rstpreid import RSTPReid
from tipr_zoo.datasets.specification import EVERY_SPLIT, SPLITS, DatasetSpecification, SplitCounts
from tipr_zoo.datasets.synth_pedes import SynthPEDES
from tipr_zoo.datasets.ufine import UFine3C, UFine6926

__all__ = [
    "CUHKPEDES",
    "EVERY_SPLIT",
    "ICFGPEDES",
    "SPLITS",
    "CheckReport",
    "CountRow",
    "CustomDataset",
    "DatasetSpecification",
    "Finding",
    "PersonDataset",
    "RSTPReid",
    "Record",
    "SplitCounts",
    "SynthPEDES",
    "UFine3C",
    "UFine6926",
    "check_dataset",
    "open_dataset",
    "recognise_dataset",
]
