"""The verbs of the command, one file each. What a verb needs is imported when it runs."""
