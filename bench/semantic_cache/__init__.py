"""What the semantic cache hits, how often it is wrong, and whether it keeps its promise: `python -m bench.semantic_cache`."""
