"""For authors of models and plugins: making plugins, writing and checking cards, publishing models."""
