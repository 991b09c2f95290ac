"""What a provider's prompt cache is worth on real conversations: `python -m bench.prompt_cache`."""
