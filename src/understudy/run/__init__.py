"""The loop, its run folder, and what it says of itself."""
