"""Where to run a given traffic: hosted, rented, own or at the edge, with ranges instead of single figures."""
