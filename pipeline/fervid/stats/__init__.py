"""Numbers that say how good answers are, and how sure that is. Pure functions."""
