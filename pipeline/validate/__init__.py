"""Step 2, after ingestion: is the data what the spec says, and what it was before?"""
