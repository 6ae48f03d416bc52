"""What looks after a machine and its results: checks, measurements, retention, stores. Stands on everything."""
