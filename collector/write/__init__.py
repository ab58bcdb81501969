"""BLOCKS -> INSERTS: gathers what requests hold and sees it into the store, each row once."""
