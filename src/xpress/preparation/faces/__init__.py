"""Videos and pictures of faces become a pack: step by step, restartable, with a report."""
