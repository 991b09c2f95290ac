"""Simulations of what the watch, the drift test and a certificate renewed every day promise."""
