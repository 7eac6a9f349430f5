"""Where records come from: files, BigQuery and Kafka."""
