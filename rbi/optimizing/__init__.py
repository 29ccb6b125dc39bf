"""Improving a strategy: which values to try, what a version scores, and whether a difference is more than noise."""
