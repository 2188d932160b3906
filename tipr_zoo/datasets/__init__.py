"""Data sets of person pictures with captions. Reading one needs no torch.

Importing this package registers the data sets that the zoo reads.
"""

from __future__ import annotations

from tipr_zoo.datasets.annotation import Annotation
from tipr_zoo.datasets.checks.check import check_dataset
from tipr_zoo.datasets.checks.findings import CheckReport, CountRow, Finding
from tipr_zoo.datasets.custom import CustomDataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.published.cuhk_pedes import CUHKPEDES
from tipr_zoo.datasets.published.icfg_pedes import ICFGPEDES
from tipr_zoo.datasets.published.rstpreid import RSTPReid
from tipr_zoo.datasets.published.synth_pedes import SynthPEDES
from tipr_zoo.datasets.published.ufine import UFine3C, UFine6926
from tipr_zoo.datasets.recognition import open_dataset, recognise_dataset
from tipr_zoo.datasets.specification import DatasetSpecification, SplitCounts
from tipr_zoo.datasets.splits import EVERY_SPLIT, SPLITS

__all__ = [
    "CUHKPEDES",
    "EVERY_SPLIT",
    "ICFGPEDES",
    "SPLITS",
    "Annotation",
    "CheckReport",
    "CountRow",
    "CustomDataset",
    "DatasetSpecification",
    "Finding",
    "PersonDataset",
    "RSTPReid",
    "SplitCounts",
    "SynthPEDES",
    "UFine3C",
    "UFine6926",
    "check_dataset",
    "open_dataset",
    "recognise_dataset",
]
