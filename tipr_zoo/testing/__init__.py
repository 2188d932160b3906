"""What a plugin can run over its own components: every promise of the plugin contract, tried."""
