"""The second half of an analysis: from observations to tables. Knows nothing of pixels or decoders."""
