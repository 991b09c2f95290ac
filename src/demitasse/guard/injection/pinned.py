"""Which weights this version was measured with. Written by ``python -m demitasse.lab.injection.train``."""

SHA256 = "fe751c8d10ff983b1e1ce03ef2f8700dcc6ff47c5ba1efd4e612fa4d65e0e624"
