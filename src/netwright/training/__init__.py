"""Training: one plain loop, its recipe, its hooks, and checkpoints it resumes from exactly."""
