"""Profiles of finished runs: how its faces look over its length, similar videos, and the genre tags it supports."""
