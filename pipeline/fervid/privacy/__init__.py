"""Covered faces: where they are over time, and how they are covered. One rule for whatever fervid writes."""
