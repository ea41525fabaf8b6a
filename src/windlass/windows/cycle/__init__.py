"""One cycle of a window: open, look at every service, measure, do work while the host allows it, close, verify, report."""
