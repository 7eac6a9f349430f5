"""How a call reaches a server: channels, deadlines, retries and hedging, for threads and for asyncio."""
