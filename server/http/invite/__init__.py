"""The page of an invitation: who is invited gets a face here, a key, and codes."""
