"""Frozen records that every room shares: candidates, trials, measurements, objectives, events. No torch, no numpy."""
