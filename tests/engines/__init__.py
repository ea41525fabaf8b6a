"""A scripted engine: a `docker` executable and an HTTP server on a Unix socket, both over one state that a test scripts and can look into."""
