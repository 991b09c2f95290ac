"""What an answer is worth: Scorer and Score, and how a Sample is put so that its answer can be read."""
