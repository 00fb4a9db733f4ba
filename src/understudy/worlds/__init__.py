"""Example environments and their scripted experts."""
