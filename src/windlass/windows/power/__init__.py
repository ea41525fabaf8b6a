"""Power windows: services that are off by default are opened for a bounded time, and closed again whatever happens."""
