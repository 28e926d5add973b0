"""The studio: a local web page on which a face is taken apart, relit and painted. `illures studio` starts it."""
