"""What highlights policies in pages and terminals."""
