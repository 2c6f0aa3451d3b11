"""`make fuzz`: what strangers send, changed at random for a bounded time (run.py)."""
