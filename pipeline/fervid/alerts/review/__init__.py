"""Review of alerts: evidence, pages, verdicts."""
