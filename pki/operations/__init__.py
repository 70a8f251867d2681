"""Everything that can be done with certificates."""
