"""The steps of a training: losses, optimiser, schedule, validation, and what happens around them."""
