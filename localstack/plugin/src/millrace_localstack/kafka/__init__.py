"""Kafka event source mappings, self-managed and MSK, polled as Lambda polls them."""
