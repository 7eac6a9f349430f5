"""Records to labelled rows: values are read by column, days found, labels computed, side tables joined."""
