"""Recorded learning curves: searches that train a little first, in virtual time and over many seeds."""
