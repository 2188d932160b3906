"""IRRA at full size: CLIP ViT-B/16 at 384 x 128, with SDM, ID and IRR (arXiv 2303.12501)."""

_base_ = ["./clip_vitb16.py"]

model = dict(
    losses=dict(sdm=dict(type="SDM")),
    heads=dict(irr=dict(type="ImplicitRelationReasoning", embedding_size=512, vocabulary_size=49408, depth=4)),
)
training = dict(
    # Multiples of the rate for what CLIP does not bring; biases have no decay.
    parameter_groups=dict(cross=5.0, bias=2.0, classifier=5.0),
)
