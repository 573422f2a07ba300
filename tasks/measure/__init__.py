"""What images are measured with."""
