"""Synthetic faces: heads, skins, lights, rendering. The only place that imports mitsuba."""
