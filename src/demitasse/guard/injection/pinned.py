"""Which weights this version was measured with. Written by ``python -m demitasse.lab.injection.train``."""

SHA256 = "106120e30ffde3ccf4c98d17b0db542a058424151b60b1666970efbdc0046c53"
