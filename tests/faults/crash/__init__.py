"""Gateways are killed at random points, and then the ledger is held against what the provider served.

    python -m tests.faults.crash --seed 7 --interleavings 10000

One *interleaving* is a handful of concurrent calls (streams, delays, hang-ups, retries, misbehaving upstreams) to one to
four gateway processes on one data directory, in which at random moments gateways are killed with SIGKILL. Rounds of some
twenty interleavings share a directory; in them limits are so tight that part of the calls has to be refused.

    plan      what will be tried: pure, from a seed
    players   the calls as clients make them, and what clients saw
    round     processes, kills and the watch on the limit while all this runs
    verdict   what must hold between clients, ledger and provider: pure but for the correction of the books
    sabotage  gateways with one promise taken out, to see that the verdict notices
"""
