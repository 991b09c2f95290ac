"""Better candidates: each step takes a model or a task and leaves an artefact with a manifest and a verdict."""
