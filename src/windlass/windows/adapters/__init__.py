"""Backends that are adapters: they keep the protocol of windows over machinery that was there before it."""
