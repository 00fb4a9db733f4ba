"""What is wrong with demonstrations, and what to do about it: one small function per diagnosis."""
