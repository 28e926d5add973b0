"""Faces under another light: lights and where they come from, what they do to a face, and back into the photo."""
