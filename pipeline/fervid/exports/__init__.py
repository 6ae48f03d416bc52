"""Runs in the forms that other programs read: one file a form, a table of them. Knows no video."""
