"""Alerts for people: evidence, pages, verdicts."""
