"""Real-time facial reenactment and expression editing."""
