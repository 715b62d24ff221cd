"""Packs larger than memory: row groups are read one by one and shared out over processes."""
