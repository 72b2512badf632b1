"""What several algorithms share: results and how they are compared, candidates as numbers, whom to look at next."""
