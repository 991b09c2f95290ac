"""Which weights this version was measured with. Written by ``python -m demitasse.lab.injection.train``."""

SHA256 = "8ba2e34f45d5dccfc964f8479b916f6748939e42982dd9aff760b497b131e18f"
