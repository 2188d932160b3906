"""The gate: bytes from outside are read, measured and parsed here."""
