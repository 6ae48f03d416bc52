"""SQL over the tables of many runs, and the same tables in few files. Knows nothing of videos or pictures."""
