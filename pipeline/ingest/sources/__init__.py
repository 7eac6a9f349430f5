"""The sources of records: files, BigQuery and Kafka."""
