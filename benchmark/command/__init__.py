"""The command `bench`: texts in, texts out."""
