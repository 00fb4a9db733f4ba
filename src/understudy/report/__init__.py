"""What is told to people: words, tables, pictures, films and pages."""
