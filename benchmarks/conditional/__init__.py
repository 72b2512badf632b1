"""Searches among pipelines of scikit-learn: conditional decisions, numbers on logarithmic scales, real training."""
