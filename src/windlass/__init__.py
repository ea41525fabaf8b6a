"""Windlass raises a gate and lets it down again: it proves that a fleet of AI agents really ran."""

__version__ = "0.1.0"
