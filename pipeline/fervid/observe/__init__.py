"""The first half of an analysis: from a segment of a video to its observations."""
