"""The three real models on three real tasks, free and held to the form, and the frontier of each: one command."""
