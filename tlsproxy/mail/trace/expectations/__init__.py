"""Expectations: files with the answers that a configuration must give, judged and reported."""
