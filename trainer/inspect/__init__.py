"""What a trained model shows of its inside."""
