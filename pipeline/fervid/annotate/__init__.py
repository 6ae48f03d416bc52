"""Draws a finished run into its video, from the stored tables only."""
