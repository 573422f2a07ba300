"""Plug-ins and sources: how they are loaded, described and hashed."""
