"""Generated recordings of metrics and logs, with no span in them."""
