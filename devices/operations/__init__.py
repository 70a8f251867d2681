"""Everything that can be done to devices."""
