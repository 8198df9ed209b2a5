"""An archive: many films and pictures, analysed on all cores of a machine or of many, into one Parquet dataset."""
