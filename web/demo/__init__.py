"""A relying app as a third party would write it: its own process, port, users and database.

It knows Lookgate by docs/protocol.md alone, over HTTP; nothing of `server` or `pipeline` is
imported.
"""
