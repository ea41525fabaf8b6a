"""What people and CI read of a sweep: each module renders the dict of a `sweep.json` into one format, and touches nothing.

`render(sweep)` returns the file's content (`summaries.render` a dict of them); the caller writes it. Every text of a stranger passes
`windlass.infra.escapes` on its way. A writer never judges: verdicts are printed as they stand in the sweep, and whatever is missing
there is printed as a failure.
"""
