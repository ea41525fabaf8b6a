"""The types of checks that a contract may ask for, and the judge that runs them over files read once.

`check` holds the values, `types` the table of all types, `reading` the one read of each file, `judge` the verdict.
"""
