"""A small RDE: the towers, data and budget of irra_tiny_synth, with token selection, and TAL on both embeddings."""

_base_ = ["core::_base_/tiny_synth.py"]

model = dict(
    type="RobustDualEmbedding",
    selected_size=128,
    losses=dict(
        bge=dict(type="TripletAlignment", part="bge", temperature=0.05),
        tse=dict(type="TripletAlignment", part="tse", temperature=0.05),
    ),
)

training = dict(
    masking=False,  # no objective predicts masked words
    hooks=[dict(type="ConsensusDivision")],
    # The other tiny recipes trim. Here batch normalisation sees the padding that is chosen, as in the published code,
    # and would see another number of it in every batch.
    trim_padding=False,
)
