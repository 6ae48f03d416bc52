"""Clips of faces for a first look and for measurements. Knows nothing of analysis."""
