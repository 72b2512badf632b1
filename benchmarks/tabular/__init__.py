"""Searches on tables of trained networks: thousands of queries a second, so that strategies can be told apart."""
