"""FMFA at full size: CLIP ViT-B/16 at 384 x 128, with A-SDM, ID, IRR and EFA (arXiv 2509.13754), as in its code."""

_base_ = ["core::_base_/clip_vitb16.py"]

model = dict(
    losses=dict(
        asdm=dict(type="AdaptiveSDM"),
        efa=dict(type="ExplicitFineGrainedAlignment", text_margin=0.1, image_margin=0.9),
    ),
    heads=dict(irr=dict(type="ImplicitRelationReasoning", embedding_size=512, vocabulary_size=49408, depth=4)),
)
# The paper says 1e-5. There are no parameter_groups: every parameter has the same learning rate.
training = dict(optimizer=dict(lr=5e-6))
