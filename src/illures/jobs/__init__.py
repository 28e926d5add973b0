"""Run work that consists of many pieces: a loop over photos, a pool of processes, a Ray cluster.

The caller passes the work as a function; nothing here depends on what it does.
May import `io` and what is below it.
"""
