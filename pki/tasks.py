"""The authority's tasks: an id in, one operation called."""
