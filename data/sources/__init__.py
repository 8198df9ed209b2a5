"""Frame sources: cameras, films, pictures, streams and the bundled sample, opened by one function."""
