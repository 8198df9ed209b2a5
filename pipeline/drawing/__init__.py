"""Annotated frames: overlays, labels, bars, the status line."""
