"""Figures for files, and the colours of everything that fervid draws."""
