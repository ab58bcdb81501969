"""Tables as Parquet files in a folder, one a table and day: written from a store, read into one."""
