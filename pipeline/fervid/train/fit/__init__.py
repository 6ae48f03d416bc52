"""Fits a network by a recipe."""
