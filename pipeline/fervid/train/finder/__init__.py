"""Trains fervid's own face finder, taught by CenterFace."""
