"""What only a training of a classifier needs."""
