"""Work in many pieces: photos one after the other, processes of this machine, a Ray cluster.

Knows nothing of what the work is.
May import `io` and what is below it.
"""
