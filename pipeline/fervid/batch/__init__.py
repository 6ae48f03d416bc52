"""Distributes many videos, or the segments of one, over processes. Never affects a video's result."""
