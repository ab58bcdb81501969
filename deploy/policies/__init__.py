"""`whymesh policy` and `whymesh plan`: what recorded traffic says about policies and configurations."""
