"""Measures a model on faces that it was not trained on."""
