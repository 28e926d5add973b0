"""Readers and writers of training data; all readers yield `types.Sample`."""
