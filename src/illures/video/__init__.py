"""Clips: read, held still along the face, shown as maps or under another light, and written."""
