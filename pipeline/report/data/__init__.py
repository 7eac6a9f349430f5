"""What a report says, as data, and where it is read from."""
