"""The nouns. Pure: no I/O, no clock, no chance; whoever needs time or randomness is handed it."""
