"""Which weights this version was measured with. Written by ``python -m demitasse.lab.injection.train``."""

SHA256 = "ca8ee9d5b9b36a7e0333326ce001d20d00a8e779cf121f6b5ae429ebe0e26556"
