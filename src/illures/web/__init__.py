"""The studio: a local web page on which a face is taken apart, relit and painted. `illures studio` starts it.

`static` is the page, `server` is what answers it.
May import `relighting`, `video` and what is below them.
"""
