"""Profiles of finished runs: how a video feels over its length, what it resembles, which genre tags it supports."""
