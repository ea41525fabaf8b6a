"""Approvals: a person's signature over what a gate's attempt has made, bound to that content and that attempt, used once, for a while."""
