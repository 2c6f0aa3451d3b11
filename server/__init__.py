"""The shell: asyncio, sockets, time, storage, keys. Decides nothing about faces."""
