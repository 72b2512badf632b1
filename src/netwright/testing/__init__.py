"""Conformance suites, toy problems and simulators, importable by users to test their own parts."""
