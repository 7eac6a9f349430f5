"""`fulcrum spec init`: files are looked at, and a feature spec is proposed with its reasons."""
