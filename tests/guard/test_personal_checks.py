"""The checksums, on numbers that their issuers or standards print as examples; one changed digit must fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from demitasse.guard.personal import checks, registers

EXAMPLES: list[tuple[Callable[[str], bool], str]] = [
    (checks.luhn, "79927398713"),
    (checks.issued, "4111111111111111"),
    (checks.issued, "30569309025904"),
    (checks.issued, "6011111111111117"),
    (checks.iban, "GB82WEST12345698765432"),
    (checks.iban, "NO9386011117947"),
    (checks.routing, "021000021"),
    (checks.verhoeff, "2363"),
    (checks.nhs, "9434765919"),
    (checks.steuer_id, "86095742719"),
    (checks.nir, "255081416802538"),
    (checks.bsn, "111222333"),
    (checks.pesel, "44051401359"),
    (checks.aadhaar, "234123412346"),
    (checks.cpf, "52998224725"),
    (checks.sin, "130692544"),
    (checks.personnummer, "8112289874"),
    (checks.fodselsnummer, "15076500565"),
    (checks.rijksregister, "85073003328"),
    (checks.ahv, "7569217076985"),
    (checks.tckn, "10000000146"),
    (checks.resident_id, "11010519491231002X"),
    (checks.rrn, "9001011234568"),
    (checks.tfn, "123456782"),
    (registers.south_african, "8001015009087"),
    (registers.cnp, "1800101221144"),
    (registers.jmbg, "0101006500006"),
    (registers.thai, "1101700230708"),
    (registers.egn, "7523169263"),
    (registers.rodne, "7103192745"),
    (registers.svnr, "1237010180"),
    (registers.kennitala, "1201743399"),
    (registers.cuit, "20267565393"),
    (registers.nif, "501442600"),
    (registers.amka, "01013099997"),
    (registers.oib, "33392005961"),
    (registers.baltic, "37605030299"),
    (registers.snils, "11223344595"),
    (registers.inn, "500100732259"),
    (registers.my_number, "123456789018"),
    (registers.nric, "S1234567D"),
    (registers.taiwanese, "A123456789"),
    (registers.ppsn, "6433435F"),
    (registers.curp, "BOXW310820HNERXN09"),
    (registers.israeli, "039337423"),
]


WEAK = {registers.thai, registers.kennitala, registers.nif, registers.taiwanese, registers.curp}
"""Their remainders of ten and eleven, or two of their letters, share a sign."""


@pytest.mark.parametrize(("check", "number"), EXAMPLES, ids=lambda value: getattr(value, "__name__", value))
def test_an_example_passes_and_any_one_digit_changed_fails(check: Callable[[str], bool], number: str) -> None:
    assert check(number)
    wrong = 0
    tried = 0
    for at, sign in enumerate(number):
        if sign.isdecimal():
            for other in "0123456789":
                if other != sign:
                    tried += 1
                    wrong += check(number[:at] + other + number[at + 1 :])
    # routing numbers, Belgian, Brazilian, Swiss and bare modulus-eleven checks let few single changes through; most, none
    assert wrong <= tried * (0.12 if check in WEAK else 0.02)


@pytest.mark.parametrize("word", ["12345678Z", "X1234567L"])
def test_a_spanish_letter_follows_from_the_digits(word: str) -> None:
    assert checks.dni(word)
    assert not checks.dni(word[:-1] + "A")


def test_an_italian_code_ends_with_its_letter() -> None:
    assert checks.codice_fiscale("RSSMRA85T10A562S")
    assert not any(checks.codice_fiscale("RSSMRA85T10A562" + letter) for letter in "ABCDEFGHIJKLMNOPQRTUVWXYZ")


def test_a_finnish_sign_follows_from_the_digits() -> None:
    assert checks.hetu("131052308", "T")
    assert not checks.hetu("131052308", "A")


def test_numbers_that_are_never_given_out_fail() -> None:
    never = ("000123456", "666123456", "900123456", "123004567", "123450000", "078051120")
    assert not any(checks.ssn(number) for number in never)
    assert checks.ssn("123456789")
    assert not checks.issued("0000000000000000")
    assert not checks.cpf("11111111111")


def test_wallets_are_told_by_their_checksum() -> None:
    assert checks.base58("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
    assert not checks.base58("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3")
    assert not checks.base58("0OIl")
    assert checks.bech32("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    assert checks.bech32("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0")
    assert not checks.bech32("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")


@pytest.mark.parametrize(("digits", "sign"), [("12345678", "5"), ("12531909", "2"), ("1000005", "K")])
def test_a_chilean_sign_follows_from_the_digits(digits: str, sign: str) -> None:
    assert [one for one in "0123456789K" if registers.rut(digits, one)] == [sign]


@pytest.mark.parametrize("word", ["A123456", "AB987654"])
def test_the_sign_in_brackets_follows_in_hong_kong(word: str) -> None:
    assert [one for one in "0123456789A" if registers.hkid(word, one)] == ["3"]


def test_forms_with_a_birthday_need_one() -> None:
    assert registers.mykad("900101145678") and not registers.mykad("901301145678")
    assert registers.nik("3171010101900001") and not registers.nik("3171013213900001")
    assert registers.emirates("784198012345671") and not registers.emirates("784118012345671")
    assert registers.medicare("2123456701") and not registers.medicare("2123456711")
