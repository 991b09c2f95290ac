"""What routing and cascades save under a promise, on real outcomes of real models."""
