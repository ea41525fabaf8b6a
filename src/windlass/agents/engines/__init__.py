"""The model engines of the reference fleet, one file per family of agents: what a model sees, and what its draft is held to."""
