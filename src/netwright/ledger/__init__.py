"""What happened, kept for good: an append-only list of events, files by their hash, and one driver at a time."""
