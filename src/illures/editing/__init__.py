"""Albedo and normals edited by hand or by name, and lit again as the photo was."""
