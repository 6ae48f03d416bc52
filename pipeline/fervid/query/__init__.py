"""SQL over the tables of many runs, and the same tables compacted into few files. Knows nothing of videos or images."""
