"""What a table's mean and interval do not say: time, ranks, chances, and what was only luck."""
