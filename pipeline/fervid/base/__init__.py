"""Shared basics: types, shipped files, boxes, threads, log lines. Depends on no other sub-package but storage."""
