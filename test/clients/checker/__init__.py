"""Checks what Kafka clients did and saw against what a log must never do. See README.md."""
