"""The second half of an analysis: from what was seen to tables. Knows nothing of pixels or decoders."""
