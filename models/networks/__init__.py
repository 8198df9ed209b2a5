"""One family of networks a file; each file has a table `MODELS: dict[str, ModelSpec]`."""
