"""From fitted weights to a model folder."""
