"""Which weights this version was measured with. Written by ``python -m demitasse.lab.injection.train``."""

SHA256 = "d312bca25f902dba5cea46253f2e37dd652a8626e9e72f26ef2709ef7ef29198"
