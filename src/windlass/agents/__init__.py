"""The reference fleet: a catalogue, and one file per agent under `reference/`."""
