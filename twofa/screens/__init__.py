"""Two-factor requests as the portal's pages show them: plain values, one module a topic."""
