"""Words that tell what a number is: read before it, the nearest first. Pure data and one lookup; knows no number.

Single words of a few languages are enough to tell a telephone number from an account; a phrase is its telling word.
"""

from __future__ import annotations

import re
from typing import Final

REACH: Final = 64
"""Code points before a number that are read for what it is."""


def topics(text: str, at: int, reach: int = REACH) -> tuple[str, ...]:
    """What the words before ``at`` are about, the nearest first, each topic once."""
    said: dict[str, None] = {}
    words = _WORDS.findall(text[max(0, at - reach) : at].lower())
    for word in reversed(words):
        topic = TOPICS.get(word)
        if topic is not None:
            said[topic] = None
    return tuple(said)


_WORDS: Final = re.compile(
    r"(?<![^\W\d_])(?<!\[)[^\W\d_]+"
)  # "[phone]" is what a number was replaced by, and tells nothing

TOPICS: Final[dict[str, str]] = {
    word: topic
    for topic, words in {
        "phone": "phone phones telephone tel telefon telefono teléfono téléphone téléfone tél telefone telefoon puhelin mobile"
        " mobil móvil handy cell cellphone celular cel fax call calling called calls dial whatsapp sms text"
        " texting ring hotline landline rufnummer contact reach telegram signal viber voicemail pager"
        " reached reaching reachable contacted contacting contacts dialing dialling dialed message messages texted faxed phoned"
        " telephoned ringing rang callback helpline sim facetime",
        "card": "card cards visa mastercard amex maestro discover credit debit carte karte kreditkarte tarjeta cc ccn payment",
        "account": "account accounts acct acc konto kontonummer cuenta compte conto conta bank checking savings deposit",
        "routing": "routing aba rtn transit",
        "sort": "sort",
        "ssn": "ssn social ssns",
        "nhs": "nhs",
        "tax": "tax steuer steuernummer steuerid idnr identifikationsnummer tin fiscal impuestos",
        "bsn": "bsn burgerservicenummer sofinummer",
        "sin": "sin sins nas",
        "pesel": "pesel",
        "aadhaar": "aadhaar aadhar uidai uid",
        "cpf": "cpf",
        "nino": "nino insurance ni",
        "tfn": "tfn",
        "id": "id ids identity identification identifier national citizen personal personnummer personnumer fødselsnummer"
        " fodselsnummer cpr kimlik tc dni nie nif rrn ahv avs insz niss rijksregisternummer henkilötunnus hetu nir sécurité"
        " sociale resident",
        "passport": "passport passports passeport pasaporte reisepass passaporto paspoort pass",
        "license": "license licence licenses licences dl dln führerschein permis rijbewijs",
        "driver": "driver drivers driving",
        "zip": "zip zipcode postcode postal postleitzahl plz pincode cap cep",
        "birth": "born birth birthday birthdate birthdays dob geboren née geburtsdatum nacimiento naissance nascita bday",
        "age": "age aged ages turned turning turns",
        "number": "number nr num nummer número numéro",
        "thing": "ein fei vat company registration order invoice ticket case reference ref serial model part tracking"
        " item page room flight policy",
        "version": "version versions v ver release build chapter section firmware rfc paragraph clause § driver_version",
        "ip": "ip ipv4 ipv6 address host server client addr gateway dns subnet",
    }.items()
    for word in words.split()
}
