"""SEN (arXiv 2307.09059) as a plugin of tipr-zoo. Importing this package does nothing; see `components`."""
