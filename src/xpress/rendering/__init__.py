"""Camera, light and visibility: from vertices to pixels, differentiable throughout."""
