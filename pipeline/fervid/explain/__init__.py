"""Why a face got its label: which part of it made the score."""
