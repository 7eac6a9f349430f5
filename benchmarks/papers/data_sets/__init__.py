"""Public data sets of the papers: their official files, how these become logs, and their specs."""
