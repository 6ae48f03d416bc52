"""Maintenance of a machine and its results: checks, measurements, retention, stores. The top layer."""
