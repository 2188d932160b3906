"""Training on MMEngine's Runner: data, objectives, schedule, validation, checkpoints."""
