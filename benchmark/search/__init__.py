"""What stands between a method and a task while a search lasts."""
