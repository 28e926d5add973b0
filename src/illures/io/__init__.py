"""Reading and writing files: photos, colour profiles, EXR, map formats, environment maps, atomic writes.

Untrusted files are opened through `io.decoding`. All files are written through `io.files`.
May import `errors`, `types`, `math` and `render`.
"""
