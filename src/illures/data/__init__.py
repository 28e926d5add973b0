"""Readers and writers of training data; all readers yield `types.Sample`.

Shards of renders, frames of clips, and the memory-mapped cache that training reads.
May import `video`, `faces`, `jobs` and what is below them.
"""
