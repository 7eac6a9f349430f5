"""The data of reports, and where it is read from."""
