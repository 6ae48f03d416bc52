"""Covering of faces: where they are over time, and how they are covered. Used for everything fervid writes."""
