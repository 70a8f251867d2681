"""Everything that can be done with two-factor requests."""
