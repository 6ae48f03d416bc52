"""Rules on the tables of a run: when they fire, and what an alert is."""
