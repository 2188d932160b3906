"""RaSa (arXiv 2305.13653) as a plugin of tipr-zoo. Importing this package does nothing; see `components`."""

PLUGIN_CONTRACT = "1.1"
"""The version of tipr-zoo's plugin contract for which this plugin is written."""
