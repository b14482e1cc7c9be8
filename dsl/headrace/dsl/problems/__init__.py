"""What the compiler tells an author: codes, places, help, fixes, and what is allowed."""
