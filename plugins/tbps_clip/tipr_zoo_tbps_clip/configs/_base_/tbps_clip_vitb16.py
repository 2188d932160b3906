"""TBPS-CLIP at full size: the simplified one with C-ITC, multi-view supervision and self-supervision."""

_base_ = ["./tbps_clip_simplified_vitb16.py"]

model = dict(
    losses=dict(citc=dict(type="CyclicITC", weight=0.1)),
    heads=dict(
        nitc=dict(type="MultiViewITC"),
        ss=dict(type="SelfSupervisedContrast", embedding_size=512, hidden_size=128, weight=0.4),
    ),
)

training = dict(
    seed=1,
    views=dict(
        augmented=dict(type="DrawnChanges"),
        self_supervised_1=dict(type="SelfSupervisedView"),
        self_supervised_2=dict(type="SelfSupervisedView"),
    ),
)
