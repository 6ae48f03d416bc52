"""A finished run drawn into its video. Knows no detector and no network: everything comes from the stored tables."""
