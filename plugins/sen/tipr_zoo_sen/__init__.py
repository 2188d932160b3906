"""SEN (arXiv 2307.09059) as a plugin of tipr-zoo. Importing this package does nothing; see `components`."""

PLUGIN_CONTRACT = "1.1"
"""The version of what tipr-zoo promises to plugins that this one was written for."""
