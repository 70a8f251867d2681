"""The portal's pages about devices, one module a topic."""
