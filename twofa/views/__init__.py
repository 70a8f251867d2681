"""The portal's pages about two-factor requests, one module a topic."""
