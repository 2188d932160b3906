"""The registries: where components get their names.

``@LOSSES.register_module()`` over a class registers it under its own name. A recipe then says
``dict(type="ThatName", ...)``. Importing this module needs MMEngine, and neither torch nor any component.
"""

from __future__ import annotations

from tipr_zoo.registry import Registry

MODELS = Registry("model", home="tipr_zoo.dual_encoder")
"""Retrievers as a whole: the towers, what turns pictures and captions into tensors, and the loss."""

BACKBONES = Registry(
    "backbone",
    home="tipr_zoo.backbones",
    modules={
        "BNNeck": "bn_neck",
        "BertTextEncoder": "bert_text_encoder",
        "CLIPTextEncoder": "clip_text_encoder",
        "ModifiedResNetEncoder": "modified_resnet",
        "TimmEncoder": "timm_encoder",
        "VisionTransformerEncoder": "vision_transformer",
    },
)
"""Image and text towers, and the neck after them. A sentence needs no image tower, and so not the import of timm."""

TOKENIZERS = Registry("tokenizer", home="tipr_zoo.tokenizers")
"""What turns captions into token ids."""

HEADS = Registry("head", home="tipr_zoo.heads")
"""Training objectives with parameters of their own."""

LOSSES = Registry("loss", home="tipr_zoo.losses")
"""Training objectives without parameters."""

DATASETS = Registry("data set", home="tipr_zoo.datasets")
"""Data sets that can be read from disk."""

SAMPLERS = Registry("sampler", home="tipr_zoo.training.training_pairs")
"""In which order, and how often, an epoch goes through the training pairs."""

CAPTION_AUGMENTATIONS = Registry("caption augmentation", home="tipr_zoo.training.caption_augmentation")
"""What training does to a caption before it becomes token ids."""

PICTURE_AUGMENTATIONS = Registry("picture augmentation", home="tipr_zoo.training.picture_augmentation")
"""What training does to a picture."""

HOOKS = Registry("training hook", home="tipr_zoo.training.training_hooks")
"""What is called before and after the run, each epoch, step and validation of a training."""

CHECKPOINTS = Registry("checkpoint reader", home="tipr_zoo.checkpoint_readers")
"""What knows the checkpoints of a method's official code, by the method's name; see `tipr_zoo.protocols`."""

ENGINES = Registry("engine", home="tipr_zoo.gallery.engines")
"""What keeps the rows and vectors of a gallery; see `tipr_zoo.protocols.Engine`."""

REGISTRIES: tuple[Registry, ...] = (
    MODELS,
    BACKBONES,
    TOKENIZERS,
    HEADS,
    LOSSES,
    DATASETS,
    SAMPLERS,
    CAPTION_AUGMENTATIONS,
    PICTURE_AUGMENTATIONS,
    HOOKS,
    CHECKPOINTS,
    ENGINES,
)
"""All of them, for listing and for undoing a broken plugin's registrations."""
