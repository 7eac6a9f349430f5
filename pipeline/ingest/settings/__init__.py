"""What ingestion depends on of a spec, and the days that it reads."""
