"""What servers call their metrics: dialects, as data files, built in and of users."""
