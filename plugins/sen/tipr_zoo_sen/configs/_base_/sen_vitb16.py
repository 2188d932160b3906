"""SEN at full size: CLIP ViT-B/16 at 384 x 128, with SDM, ID, TIR and CMT (arXiv 2307.09059)."""

_base_ = ["core::_base_/clip_vitb16.py"]

model = dict(
    losses=dict(
        sdm=dict(type="SDM"),
        cmt=dict(type="CrossModalTriplet", margin=0.05, weight=10.0),
    ),
    heads=dict(
        tir=dict(
            type="TextGuidedRestoration", embedding_size=512, image_size=(384, 128), patch_size=16, depth=4, weight=10.0
        ),
    ),
)
training = dict(
    batch_size=128,
    # Factors of the learning rate for parameters that CLIP does not bring. Biases have no decay.
    parameter_groups=dict(cross=5.0, bias=2.0, classifier=5.0),
    masking=False,  # no objective predicts masked words
    caption_augmentation=dict(type="PruningAugmentation", probability=0.2),
    sampler=dict(type="idrannum"),
)
