"""A run shown to others: standard formats, a page, a bundle that checks itself, and anchors outside the record.

Each writer renders a `told.Story` into one format and touches nothing. A verdict is printed as it stands in the journal; what was
never run is printed as a failure, never left out.
"""
