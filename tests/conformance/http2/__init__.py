"""RFC 9113 and RFC 7541, section by section."""
