"""Files in and out: photos, colour profiles, EXR, formats of maps, environment maps, files that appear whole.

A file of a stranger is opened through `io.decoding`, and written through `io.files`.
May import `errors`, `types`, `math` and `render`.
"""
