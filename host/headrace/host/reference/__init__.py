"""The reference of the installed version, and of one policy, made from what the code declares."""
