"""The hosted login page's half of HTTP: the page, and what its script asks."""
