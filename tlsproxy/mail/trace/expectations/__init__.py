"""Expectations: files that say what a configuration must answer, judged and reported."""
