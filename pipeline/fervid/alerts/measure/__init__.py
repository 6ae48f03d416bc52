"""Alerts against what is known to be true, and rules chosen by that."""
