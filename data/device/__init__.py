"""Batches whose pictures are augmented on the device that trains."""
