"""One agent per file. A module here that defines `AGENT` is in the fleet; nothing else has to be told about it."""
