"""What the training of the classifier and the training of the detector share."""
