"""Training objectives with parameters. Importing this package registers them in ``tipr_zoo.registries.HEADS``."""

from tipr_zoo.heads.identity_classification import IdentityClassification
from tipr_zoo.heads.implicit_relation_reasoning import ImplicitRelationReasoning

__all__ = ["IdentityClassification", "ImplicitRelationReasoning"]
