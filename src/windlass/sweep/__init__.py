"""The sweep: asks every agent of a fleet what only doing the work can answer, and judges what came back. A stranger to the services."""
