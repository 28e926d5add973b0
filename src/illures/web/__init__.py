"""The studio: a local web page for decomposing, relighting and painting a face. `illures studio` starts it.

`static` is the page, `server` its server.
May import `relighting`, `video` and what is below them.
"""
