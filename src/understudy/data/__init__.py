"""What is seen, done and received, and the files it is kept in."""
