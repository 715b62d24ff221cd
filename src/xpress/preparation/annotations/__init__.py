"""Landmarks that others have set: a file a format, all giving `Entry`s."""
