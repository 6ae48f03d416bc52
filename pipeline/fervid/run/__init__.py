"""The contract of a run: its folder, its files, its manifest, its tables. Knows nothing of how they are made."""
