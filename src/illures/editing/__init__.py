"""Edit albedo and normals (in an image editor or by retouching steps), and render the face under its own light.

Call order: `batch` -> `edit` -> `retouch`.
May import `relighting`, `decompose` and what is below them.
"""
