"""RDE at full size: CLIP ViT-B/16 at 384 x 128, with TAL on both embeddings (arXiv 2308.09911), as in its code."""

_base_ = ["core::_base_/clip_vitb16_towers.py", "core::_base_/clip_training.py"]

model = dict(
    type="RobustDualEmbedding",
    selected_size=1024,
    selected_share=0.3,
    losses=dict(
        bge=dict(type="TripletAlignment", part="bge", temperature=0.015, margin=0.1),
        tse=dict(type="TripletAlignment", part="tse", temperature=0.015, margin=0.1),
    ),
)

training = dict(
    # Token selection, which CLIP does not bring, learns at 1e-3; biases have no decay, and elsewhere twice the rate.
    parameter_groups=dict(bias=2.0, selection=100.0),
    masking=False,  # no objective predicts masked words
    caption_augmentation=dict(type="TokenAugmentation", probability=0.2),
    hooks=[dict(type="ConsensusDivision", max_iter=10, tol=1e-2, reg_covar=5e-4)],
    # Batch normalisation sees the padding that is chosen, as in the published code, so that captions stay at 77 tokens.
    trim_padding=False,
)
