"""From annotations to a batch of pairs."""
