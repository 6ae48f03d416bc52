"""How good a model is on faces it has not seen."""
