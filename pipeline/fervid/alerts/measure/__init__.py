"""Evaluates alerts against ground truth, and tunes rules."""
