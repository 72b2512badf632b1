"""Models of results: arrays in, predictions out. They know no candidates, trials or strategies."""
