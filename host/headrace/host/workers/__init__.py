"""`headrace serve --workers N`: processes that decide alike, and the one that looks after them."""
