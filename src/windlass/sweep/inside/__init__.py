"""Sweeping from inside a network that cannot be reached from here: the calls are made there, everything is judged here."""
