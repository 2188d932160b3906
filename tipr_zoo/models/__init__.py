"""From a name to a model: lookup, plugin, recipe, registries, weights."""
