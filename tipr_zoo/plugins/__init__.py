"""Finding and judging plugins without importing them."""
