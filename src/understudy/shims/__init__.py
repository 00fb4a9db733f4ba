"""Names and signatures of other systems, on top of ours."""
