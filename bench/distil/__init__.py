"""A small model taught by calls that were really served, end to end, with the product's own commands."""
