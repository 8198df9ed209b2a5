"""What only the training of a classifier needs."""
