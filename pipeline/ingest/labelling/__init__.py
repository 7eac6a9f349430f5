"""From records to labelled rows: values read by column, days found, labels computed."""
