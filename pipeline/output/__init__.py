"""What stays of a session: film, log, snapshots, and the window."""
