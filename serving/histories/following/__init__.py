"""A history store kept fresh from Kafka: one consumer, whose offsets are in the store itself."""
