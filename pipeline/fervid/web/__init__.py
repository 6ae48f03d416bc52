"""Shared parts of fervid's web servers."""
