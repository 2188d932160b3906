"""UFine6926 and UFine3C (Zuo et al., CVPR 2024), with long captions."""

from __future__ import annotations

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.specification import DatasetSpecification, SplitCounts
from tipr_zoo.datasets.splits import EVERY_SPLIT
from tipr_zoo.registries import DATASETS


@DATASETS.register_module(name="UFine6926")
class UFine6926(PersonDataset):
    """6,926 people, two captions a picture.

    A caption has 80.8 words on average. CLIP's 77 tokens cut most of them.
    """

    specification = DatasetSpecification(
        name="UFine6926",
        annotation_files=("UFine6926.json",),
        first_identity=None,
        published={EVERY_SPLIT: SplitCounts(identities=6_926, pictures=26_206, captions=52_412)},
    )


@DATASETS.register_module(name="UFine3C")
class UFine3C(PersonDataset):
    """Pictures of three sources with captions in the style of UFine6926, for evaluation only.

    Its entries tell their ``source``.
    """

    specification = DatasetSpecification(name="UFine3C", annotation_files=("UFine3C.json",), first_identity=None)
