"""Windows on Docker Compose: opened by the real `docker compose`, observed and closed by the Engine API."""
