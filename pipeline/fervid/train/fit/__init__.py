"""Fitting a network by a recipe."""
