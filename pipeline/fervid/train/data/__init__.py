"""Training faces: read, cleaned, described, divided, varied."""
