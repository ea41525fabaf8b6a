"""The windows over HTTP: the API whose callers exist, and a page for people."""
