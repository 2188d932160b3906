"""A small TBPS-CLIP: the towers, data and budget of irra_tiny_synth, with all of its losses, views and changes."""

_base_ = ["core::_base_/tiny_synth.py"]

model = dict(
    type="LearnedScaleDualEncoder",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    text_encoder=dict(dropout=0.05),
    tokenizer=dict(removed='.!"()*#:;~'),
    neck=dict(type="BNNeck", embedding_size=128),  # as in irra_tiny_synth: towers from nothing begin to learn sooner
    losses=dict(citc=dict(type="CyclicITC", weight=0.1)),
    heads=dict(
        nitc=dict(type="MultiViewITC"),
        ritc=dict(type="ReversedITC"),
        ss=dict(type="SelfSupervisedContrast", embedding_size=128, weight=0.4),
    ),
)

# Unlike at full size the first convolutions learn, since they start from nothing.
training = dict(
    masking=False,  # no objective predicts masked words
    augmentation=dict(_delete_=True, type="DrawnChanges"),
    views=dict(
        augmented=dict(type="DrawnChanges"),
        self_supervised_1=dict(type="SelfSupervisedView"),
        self_supervised_2=dict(type="SelfSupervisedView"),
    ),
    caption_augmentation=dict(type="RewordedCaptions", translated=0.0),  # there are no back-translations
    hooks=[dict(type="SoftLabelRamp")],
)
