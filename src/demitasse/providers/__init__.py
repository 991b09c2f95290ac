"""Models that call out."""
