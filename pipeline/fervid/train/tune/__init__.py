"""The search for a recipe."""
