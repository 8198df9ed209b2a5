"""Is the classifier right? Scores, plots and the contact sheet of mistakes."""
