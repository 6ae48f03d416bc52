"""Quality metrics and their uncertainty. Pure functions."""
