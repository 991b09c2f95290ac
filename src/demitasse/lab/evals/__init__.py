"""Models on tasks: runs, their journals, and what is read off them (verdicts, frontiers, robustness)."""
