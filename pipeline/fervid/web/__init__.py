"""What the pages that fervid serves have in common."""
