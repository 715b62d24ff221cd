"""The commands that make packs of faces: `python -m xpress.prepare` and `….check`."""
