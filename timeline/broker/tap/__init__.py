"""A look at Kafka that leaves no trace there: the tap, and whether it is allowed what it needs."""
