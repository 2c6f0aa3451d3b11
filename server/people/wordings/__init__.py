"""The texts that a client without one of its own asks its people to agree to.

One file for each version; a text that was asked for stays as it is. Read by
server/people/consent.py. Source: GDPR Art. 7, 9 and 13; BIPA section 15(b); docs/consent.md.
"""
