"""A small FMFA: the towers, data and budget of irra_tiny_synth, with A-SDM in place of SDM, and with EFA."""

_base_ = ["core::irra_tiny_synth.py"]

model = dict(
    losses=dict(
        _delete_=True,  # SDM
        asdm=dict(type="AdaptiveSDM", scale=12.0),
        efa=dict(type="ExplicitFineGrainedAlignment", text_margin=0.1, image_margin=0.9),
    ),
)
