"""The devices' tasks: an id in, one operation called."""
