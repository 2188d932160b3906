"""SynthPEDES: pedestrians drawn by `tipr-zoo data synth`, in the layout of CUHK-PEDES."""

from __future__ import annotations

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.registries import DATASETS


@DATASETS.register_module(name="SynthPEDES")
class SynthPEDES(PersonDataset):
    """Drawn people, as many as were asked for.

    `synthpedes.json` beside the annotations marks the data set and says how many there are.
    """

    specification = DatasetSpecification(
        name="SynthPEDES",
        annotation_files=("reid_raw.json",),
        first_identity=1,
        beside=("synthpedes.json",),
        counts_file="synthpedes.json",
    )
