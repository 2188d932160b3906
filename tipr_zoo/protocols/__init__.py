"""What components rely on of each other, as protocols: a component has these names, and need not inherit anything.

Each is runtime-checkable: ``isinstance(tower, PatchImageTower)`` says whether a tower has all that is promised there.
`missing_names` says what it lacks. docs/plugin_contract.md says which registry holds which.
"""

from tipr_zoo.protocols.engines import Condition, Engine, Fact, Row
from tipr_zoo.protocols.promises import missing_names, promised_names
from tipr_zoo.protocols.retrievers import (
    CheckpointReader,
    Head,
    Loss,
    PairScorer,
    RestoringHead,
    Retriever,
    TokenPairScorer,
    TwoTowerRetriever,
)
from tipr_zoo.protocols.towers import (
    AttendingImageTower,
    AttendingTextTower,
    ImageTower,
    MaskableImageTower,
    Neck,
    PatchImageTower,
    TextTower,
    Tokenizer,
)
from tipr_zoo.protocols.training import (
    CaptionAugmentation,
    DataSet,
    PairSampler,
    PictureAugmentation,
    TrainingHook,
    TrainingRun,
)

__all__ = [
    "AttendingImageTower",
    "AttendingTextTower",
    "CaptionAugmentation",
    "CheckpointReader",
    "Condition",
    "DataSet",
    "Engine",
    "Fact",
    "Head",
    "ImageTower",
    "Loss",
    "MaskableImageTower",
    "Neck",
    "PairSampler",
    "PairScorer",
    "PatchImageTower",
    "PictureAugmentation",
    "RestoringHead",
    "Retriever",
    "Row",
    "TextTower",
    "TokenPairScorer",
    "Tokenizer",
    "TrainingHook",
    "TrainingRun",
    "TwoTowerRetriever",
    "missing_names",
    "promised_names",
]
