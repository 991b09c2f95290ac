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
        if topic is None and "." in word:  # "s.s.n."
            topic = TOPICS.get(word.replace(".", ""))
        if topic is None and word > EAST:
            topic = next((TOPICS[part] for part in _PARTS if part in word), None)
        if topic is not None and (word not in _ALSO_ENGLISH or _DOCUMENT.search(text, max(0, at - reach), at)):
            said[topic] = None
    return tuple(said)


_ALSO_ENGLISH: Final = frozenset({"pass", "pp"})
"""A document in other languages; in English something that one lets pass, and pages."""
_DOCUMENT: Final = re.compile(r"\b(?:Pass|PASS|PP)\b|\b(?:pass|pp)\b\W{0,3}(?:nr|no|num|number|nummer|[#№:=])")
"""The same as a noun of German, or with what says that a number follows."""


_WORDS: Final = re.compile(
    r"(?<![^\W\d_])(?<!\[)(?:[^\W\d_](?:\.[^\W\d_])+(?![^\W\d_])|[^\W\d_]+)"
)  # "[phone]" is what a number was replaced by, and tells nothing

EAST: Final = "\u2e80"
_PARTS: Final = ("电话", "手机", "電話", "携帯", "전화", "휴대폰", "연락처")
"""Words of scripts that put no space between words."""

TOPICS: Final[dict[str, str]] = {
    word: topic
    for topic, words in {
        "phone": "phone phones telephone tel telefon telefono teléfono téléphone téléfone tél telefone telefoon puhelin"
        " mobile"
        " mobil móvil handy cell cellphone celular cel fax call calling called calls dial whatsapp sms text"
        " texting ring hotline landline rufnummer contact reach telegram signal viber voicemail pager"
        " reached reaching reachable contacted contacting contacts dialing dialling dialed message messages texted faxed"
        " phoned"
        " telephoned ringing rang callback helpline sim facetime phn mob phonenumber phoneno telno mobileno mobilenumber"
        " cellnumber faxnumber homephone workphone cellphones switchboard tollfree msisdn"
        # German
        " telefonnummer telefonnr telefonisch mobilnummer handynummer handynr mobiltelefon festnetz durchwahl telefax"
        " faxnummer"
        " ruf rufen anrufen anruf angerufen anrufe rückruf zurückrufen erreichbar erreichen erreicht kontaktieren kontakt"
        # French
        " portable fixe appeler appelez appelle appel joindre joignable rappeler rappelez rappelle contacter contactez"
        " télécopie téléphoner téléphonez sms"
        # Spanish, Portuguese, Catalan
        " tlf tfno móviles llamar llame llama llámame llámeme llamarme llamada llamadas llámanos contacto contactar"
        " contáctame"
        " fijo marque marcar telemóvel telemovel celulares ligar ligue liga contato contatar fixo truca"
        # Italian
        " cellulare cellulari chiamare chiamami chiama chiamate chiamatemi chiami contattare contattami contattatemi"
        " recapito"
        " fisso telefonare telefonico"
        # Dutch
        " telefoonnummer mobiel gsm bellen bel belt bereikbaar bereiken vast"
        # Danish, Norwegian, Swedish, Finnish
        " tlfnr telefonnr mobilnr mobilnummer mobiltelefon ringa ringe nås nå träffas puh puhelinnumero matkapuhelin"
        " soita"
        " soittakaa soittaa kännykkä"
        # Polish, Czech, Slovak, Hungarian, Romanian, Turkish
        " telefonu komórka komórkowy komórki kom zadzwoń dzwonić zadzwonić volejte zavolejte volat zavolat mobilu"
        " telefonszám"
        " telefonszáma telefonszámom hívjon hívj sunați sunati telefonul cep telefonum telefonu numaram arayın"
        " arayabilirsiniz"
        # Russian, Ukrainian, Bulgarian, Greek
        " телефон тел моб мобильный мобільний позвоните звоните звонить позвонить факс телефону телефона подзвоніть"
        " τηλέφωνο τηλ"
        " κινητό καλέστε"
        # Chinese, Japanese, Korean, Arabic, Hindi
        " 电话 手机 电话号码 手机号 手机号码 联系电话 電話 電話番号 携帯 携帯電話"
        " 연락처 전화 전화번호 휴대폰 핸드폰 هاتف الهاتف جوال موبايل تلفن"
        " फोन मोबाइल",
        "card": "card cards visa mastercard amex maestro discover credit debit carte karte kreditkarte tarjeta cc ccn"
        " payment",
        "account": "account accounts acct acc konto kontonummer cuenta compte conto conta"
        " acno kontonr"
        " rachunek rachunku konta rekening rekeningnummer bankrekening счет счёт счета 账号 账户 口座番号 口座 계좌번호"
        " 계좌 tili tilinumero účet účtu"
        " számlaszám hesap bankgiro plusgiro clabe nuban bankkonto λογαριασμός",
        "bank": "bank checking savings deposit",
        "routing": "routing aba rtn transit",
        "sort": "sort bsb",
        "ssn": "ssn social ssns socsec soc ssan ss",
        "nhs": "nhs",
        "tax": "tax steuer steuernummer steuerid idnr identifikationsnummer tin fiscal impuestos fiscale codice itin utr",
        "bsn": "bsn burgerservicenummer sofinummer",
        "sin": "sin sins nas",
        "pesel": "pesel",
        "aadhaar": "aadhaar aadhar uidai uid",
        "cpf": "cpf",
        "nino": "nino insurance ni",
        "tfn": "tfn",
        "id": "id ids identity identification identifier national citizen personal resident",
        "nation": "personnummer personnumer fødselsnummer fodselsnummer cpr kimlik dni nie nif rrn ahv avs insz niss"
        " rijksregisternummer henkilötunnus hetu nir sécurité sociale insee sécu personalausweis personalausweisnummer"
        " ausweis"
        " ausweisnummer sozialversicherungsnummer svnr cni identité identità identidad identidade cédula cedula documento"
        " curp rfc cuit"
        " cuil rut seguridad cnp egn oib jmbg emšo amka afm αμκα rodné dowód dowodu nip kennitala nric hkid mykad ktp nik"
        " ppsn"
        " pps emirates cnic snils снилс инн isikukood kodas teudat zehut medicare"
        " 身份证 身份证号 身份证号码 身分証 マイナンバー 주민등록번호 주민번호",
        "passport": "passport passports passeport pasaporte reisepass passaporto paspoort pass pp passnummer passnr"
        " reisepassnummer"
        " passportno paszport paszportu passi útlevél pașaport pasaport паспорт паспорта διαβατήριο passaport vegabréf"
        " ppt"
        " 护照 护照号 护照号码 パスポート 旅券 여권 여권번호",
        "license": "license licence licenses licences dl dln führerschein führerscheinnummer permis rijbewijs"
        " rijbewijsnummer patente"
        " guida conducir conduire conducción jazdy körkort kørekort førerkort ajokortti condução habilitação cnh vezetői"
        " водительское прав lic 驾驶证 驾照 免許証 운전면허",
        "driver": "driver drivers driving learner",
        "zip": "zip zipcode postcode postal postleitzahl plz pincode cap cep postnummer postnr postinumero postnummeret"
        " psč"
        " irányítószám индекс eircode",
        "birth": "born birth birthday birthdate birthdays dob geboren née geburtsdatum nacimiento naissance nascita bday",
        "age": "age aged ages turned turning turns",
        "number": "number nr num nummer número numéro numero numer číslo номер",
        "wallet": "wallet btc bitcoin eth ethereum ltc litecoin doge dogecoin xrp ripple sol solana xmr monero usdt usdc tron"
        " trx ada cardano bch bitcoincash crypto",
        "mac": "mac bssid ethernet hwaddr wlan",
        "thing": "ein fei vat company registration order invoice ticket case reference ref serial model part tracking"
        " item page room flight policy key keys customer isbn issn ean upc gtin sku abn acn siret siren ust hrb cnpj iva piva kvk"
        " rechnung rechnungsnummer bestellung bestellnummer auftrag auftragsnummer kundennummer artikelnummer vorgang facture"
        " commande dossier pedido factura ordine fattura nota zamówienie faktura fakturanummer beställning lot batch"
        " barcode meter resolution article art asset device imei vin lottery matrix gate seat docket claim booking"
        " reservation pnr consignment parcel shipment plate plates kennzeichen"
        " nummernschild matrícula targa kenteken waybill coupon voucher gene patent doi",
        "version": "version versions v ver release build chapter section firmware rfc paragraph clause § kernel sdk revision oid"
        " driver_version",
        "ip": "ip ipv4 ipv6 address host server client addr gateway dns subnet",
    }.items()
    for word in words.split()
}
