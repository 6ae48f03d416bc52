"""The language of alert rules: text to conditions."""
