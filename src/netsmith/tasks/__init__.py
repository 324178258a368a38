"""What an answer means: loss, metrics, decoding."""
