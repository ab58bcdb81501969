"""The write-ahead log: requests on disk before they are answered, and what became of each."""
