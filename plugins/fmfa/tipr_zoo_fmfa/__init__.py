"""FMFA (arXiv 2509.13754) as a plugin of tipr-zoo. Importing this package does nothing; see `components`."""
