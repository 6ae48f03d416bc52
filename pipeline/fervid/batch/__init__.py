"""Many videos, or the segments of one, shared out among processes. Nothing here changes what a video's result is."""
