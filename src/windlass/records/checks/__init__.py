"""The checks that a contract can ask for, each a rule over bytes that were hashed as they were judged."""
