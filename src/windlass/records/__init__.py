"""Runs and gates as files that anyone can check offline: a chained journal is the truth, everything else is a view of it."""
