"""THE PARTS TOGETHER: the whymesh command, one-machine runs, the demo."""
