"""What happens while a person watches: threads, the feed, the session."""
