"""The cards of the zoo's own models; installed as ``tipr_zoo.model_cards``. Holds no code."""
