"""sen_tiny_synth trained on for three epochs, until its restoration follows the words.

Start it from the weights of sen_tiny_synth. Pictures keep their borders and are not erased in places, so that what is
to be restored is the picture itself; TIR has its weight of the full-size models, and its decoder their five times rate.
"""

_base_ = ["./sen_tiny_synth.py"]

model = dict(heads=dict(tir=dict(weight=10.0)))
training = dict(
    max_epochs=3,
    parameter_groups=dict(cross=5.0),
    augmentation=dict(pad=0, erase=0.0),
)
