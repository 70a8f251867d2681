"""What runs beside the portal's own code: processes and their life. Knows nothing of banks, devices or people."""
