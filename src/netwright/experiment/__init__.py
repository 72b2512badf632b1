"""The stages of a run: data, baselines, search, final training, test, export, report."""
