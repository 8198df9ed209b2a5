"""How long a test waits for what must come. Nothing waits longer than it must; a busy machine may need minutes."""

PATIENCE_S = 600.0
