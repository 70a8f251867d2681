"""Four-eyes: what one person may ask for and only another may let happen."""
