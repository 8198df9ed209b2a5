"""The results of an archive: Parquet files in a folder or at an address."""
