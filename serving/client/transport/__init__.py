"""The way of a call to a server: channels, deadlines, retries, hedging; for threads and asyncio."""
