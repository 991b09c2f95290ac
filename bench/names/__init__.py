"""Trains the small tagger of names (``demitasse.guard.names``) on sentences of our own, filled in by chance."""
