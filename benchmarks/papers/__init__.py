"""The papers' tables on public data: every model of the registry on the same preprocessing, tuned alike, over several seeds."""
