"""Does the detector detect? Average precision, corruptions, contact sheets, jitter and lag."""
