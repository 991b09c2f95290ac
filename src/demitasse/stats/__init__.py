"""Statistics with a promise: betting martingales, e-processes and intervals. Pure numpy; knows nothing of calls or models."""
