"""IRRA in small: both towers from nothing on SynthPEDES, with SDM, ID and IRR, in under half an hour on two cores."""

_base_ = ["./_base_/tiny_synth.py"]

model = dict(
    neck=dict(type="BNNeck", embedding_size=128),
    losses=dict(sdm=dict(type="SDM", scale=12.0)),
    heads=dict(
        id=dict(type="IdentityClassification", embedding_size=128, num_identities=3000),
        irr=dict(
            type="ImplicitRelationReasoning",
            embedding_size=128,
            vocabulary_size=800,
            depth=1,
        ),
    ),
)
