"""Fields: what a ranker reads about a user, a candidate and the context of a request."""
