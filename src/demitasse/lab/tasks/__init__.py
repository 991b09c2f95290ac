"""What models are asked in the lab: Task and Sample, and the places that they come from. Knows no model and no score."""
