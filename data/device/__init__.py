"""Batches whose pictures are changed on the device that trains."""
