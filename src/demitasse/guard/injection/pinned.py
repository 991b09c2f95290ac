"""Which weights this version was measured with. Written by ``python -m demitasse.lab.injection.train``."""

SHA256 = "685bed8c57325a63f22edf5dc8bb5b8028cf404cbb49458f4c8a86a69fc59ba7"
