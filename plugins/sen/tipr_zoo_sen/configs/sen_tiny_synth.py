"""A small SEN: towers, data and budget of irra_tiny_synth, with CMT, TIR, pruning and SEN's sampler in place of IRR."""

_base_ = ["core::irra_tiny_synth.py"]

model = dict(
    losses=dict(cmt=dict(type="CrossModalTriplet", margin=0.05, weight=1.0)),
    heads=dict(
        _delete_=True,  # IRR
        id=dict(type="IdentityClassification", embedding_size=128, num_identities=3000),
        tir=dict(
            type="TextGuidedRestoration",
            embedding_size=128,
            image_size=(128, 48),
            patch_size=16,
            depth=1,
            weight=1.0,
        ),
    ),
)
training = dict(
    masking=False,  # no objective predicts masked words
    caption_augmentation=dict(type="PruningAugmentation", probability=0.2),
    sampler=dict(type="idrannum"),
)
