"""From events to what they say of exposures, and when."""
