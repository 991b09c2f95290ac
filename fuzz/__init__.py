"""Fuzzing by coverage: what comes in over the wire, what scanners read, what importers open.

    python -m fuzz --seconds 3600 --seed 7          all targets, one after another, an equal share of the time each
    python -m fuzz --target wire.ask --seconds 60   one of them
    python -m fuzz --replay                         every input that was once a find, and the seeds

Each target is a function of bytes that may raise nothing but what its reader promises. An input that raises something
else, or takes too long, is kept under ``finds/TARGET/``, and ``tests/faults/test_fuzz_finds.py`` replays it in the default run.
Needs atheris (``pip install atheris``); ``--replay`` does not.
"""
