"""The closed vocabularies of findings, each word with its meaning: what reports, settings and pages may name. Pure data."""

from __future__ import annotations

from typing import Final

TYPES: Final[dict[str, str]] = {
    "EMAIL": "an e-mail address",
    "PHONE": "a telephone number",
    "CARD": "the number of a payment card",
    "IBAN": "an international bank account number",
    "BANK_ACCOUNT": "a national bank account or routing number",
    "CRYPTO": "the address of a cryptocurrency wallet",
    "SSN": "a social security number of the United States",
    "NATIONAL_ID": "another country's personal, tax or health number that a checksum confirms",
    "PASSPORT": "the number of a passport",
    "DRIVER_LICENSE": "the number of a driving licence",
    "IP": "an IP address, version 4 or 6",
    "MAC": "the hardware address of a network card",
    "URL": "a web address; its user and password, where it has them, are secrets",
    "DATE": "a date that may be somebody's, such as a birthday",
    "AGE": "somebody's age",
    "ADDRESS": "a street address",
    "ZIP": "a postal code",
    "PERSON": "the name of a person",
    "TITLE": "a form of address before a name",
    "LOCATION": "the name of a place",
    "ORGANISATION": "the name of a company or another organisation",
    "NATIONALITY": "a nationality, religion or political group",
}
"""Types of personal data."""

NAMED: Final = frozenset({"PERSON", "LOCATION", "ORGANISATION", "NATIONALITY", "TITLE"})
"""Types that no pattern finds: they need a recogniser of names (the second tier)."""

SECRETS: Final[dict[str, str]] = {
    "api_key": "a key of a service, known by its shape",
    "private_key": "a private key in PEM",
    "token": "a bearer, session or web token",
    "password": "a value that a name before it calls a password or secret",
    "connection_string": "an address of a database or queue with its password",
    "url_credentials": "a user and password within a web address",
    "high_entropy": "a value named as a credential that looks random",
}

HIDDEN: Final[dict[str, str]] = {
    "tag": "Unicode tag characters, which spell text that nobody sees",
    "zero_width": "zero-width spaces, joiners and marks where no script needs them",
    "bidi": "controls that make text read in another order than it is stored",
    "variation_selector": "variation selectors that select nothing, in a row: bytes can hide in them",
    "control": "control characters that text has no use for",
    "homoglyph": "letters of another script within a word, made to look like its own",
}

HARMS: Final[dict[str, str]] = {
    "hate": "hatred of a group",
    "harassment": "abuse of a person",
    "violence": "violence or instructions for it",
    "self_harm": "suicide or self-injury",
    "sexual": "sexual content",
    "sexual_minors": "sexual content about minors",
    "illicit": "instructions for crimes",
}
"""Categories of moderation, as the endpoints of providers name them, folded."""

ACTIONS: Final[dict[str, str]] = {
    "allow": "not looked for",
    "detect": "counted; nothing is changed",
    "redact": "a placeholder goes out in its stead, and the answer gets the value back",
    "mask": "a placeholder goes out in its stead, and stays",
    "local": "the call stays with local models, or is refused",
    "refuse": "the call is refused",
}
"""What can be done about personal data and secrets, the milder first."""
