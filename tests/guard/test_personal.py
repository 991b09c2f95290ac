"""What the first tier finds, what it leaves, and that its work grows with the text and no faster."""

from __future__ import annotations

import re
import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.guard import personal
from demitasse.guard.finding import Entity
from demitasse.guard.kinds import TYPES
from demitasse.guard.personal import context, dialled, find, forms, numbers, phones, resolve, scan, web


def found(text: str) -> list[tuple[str, str]]:
    return [(one.type, text[one.start : one.end]) for one in find(text)[0]]


@pytest.mark.parametrize(
    ("text", "type", "value"),
    [
        ("write to ann.b+c@mail.example.org now", "EMAIL", "ann.b+c@mail.example.org"),
        ("it's 'bob@sub.example.co.uk'.", "EMAIL", "bob@sub.example.co.uk"),
        ("call +44 20 7946 0958 today", "PHONE", "+44 20 7946 0958"),
        ("or (212) 555-0188 x12.", "PHONE", "(212) 555-0188 x12"),
        ("Phone:\n60-56-85-91", "PHONE", "60-56-85-91"),
        ("0044 20 7946 0958", "PHONE", "0044 20 7946 0958"),
        ("020 7946 0958", "PHONE", "020 7946 0958"),
        ("card 4111-1111-1111-1111.", "CARD", "4111-1111-1111-1111"),
        ("5555555555554444", "CARD", "5555555555554444"),
        ("378282246310005 is Amex", "CARD", "378282246310005"),
        ("4111 1111 1111 1111 12/26 123", "CARD", "4111 1111 1111 1111"),
        ("pay to GB82 WEST 1234 5698 7654 32 please", "IBAN", "GB82 WEST 1234 5698 7654 32"),
        ("de89370400440532013000", "IBAN", "de89370400440532013000"),
        ("routing number 021000021", "BANK_ACCOUNT", "021000021"),
        ("account no. 123456789", "BANK_ACCOUNT", "123456789"),
        ("sort code 12-34-56", "BANK_ACCOUNT", "12-34-56"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "CRYPTO", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        ("to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4!", "CRYPTO", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe", "CRYPTO", "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe"),
        ("SSN 123-45-6789", "SSN", "123-45-6789"),
        ("my social is 123456789", "SSN", "123456789"),
        ("NHS number 943 476 5919", "NATIONAL_ID", "943 476 5919"),
        ("AB 12 34 56 C", "NATIONAL_ID", "AB 12 34 56 C"),
        ("AB123456C", "NATIONAL_ID", "AB123456C"),
        ("meine Steuer-ID 86 095 742 719", "NATIONAL_ID", "86 095 742 719"),
        ("2 55 08 14 168 025 38", "NATIONAL_ID", "2 55 08 14 168 025 38"),
        ("255081416802538", "NATIONAL_ID", "255081416802538"),
        ("DNI 12345678Z", "NATIONAL_ID", "12345678Z"),
        ("NIE X1234567L", "NATIONAL_ID", "X1234567L"),
        ("RSSMRA85T10A562S", "NATIONAL_ID", "RSSMRA85T10A562S"),
        ("BSN: 111222333", "NATIONAL_ID", "111222333"),
        ("PESEL 44051401359", "NATIONAL_ID", "44051401359"),
        ("2341 2341 2346", "NATIONAL_ID", "2341 2341 2346"),
        ("529.982.247-25", "NATIONAL_ID", "529.982.247-25"),
        ("SIN 130 692 544", "NATIONAL_ID", "130 692 544"),
        ("811228-9874", "NATIONAL_ID", "811228-9874"),
        ("131052-308T", "NATIONAL_ID", "131052-308T"),
        ("85.07.30-033.28", "NATIONAL_ID", "85.07.30-033.28"),
        ("756.9217.0769.85", "NATIONAL_ID", "756.9217.0769.85"),
        ("11010519491231002X", "NATIONAL_ID", "11010519491231002X"),
        ("S1234567D", "NATIONAL_ID", "S1234567D"),
        ("HKID A123456(3)", "NATIONAL_ID", "A123456(3)"),
        ("12.345.678-5", "NATIONAL_ID", "12.345.678-5"),
        ("12.345.678-Z", "NATIONAL_ID", "12.345.678-Z"),
        ("BOXW310820HNERXN09", "NATIONAL_ID", "BOXW310820HNERXN09"),
        ("112-233-445 95", "NATIONAL_ID", "112-233-445 95"),
        ("710319/2745", "NATIONAL_ID", "710319/2745"),
        ("1-1017-00230-70-8", "NATIONAL_ID", "1-1017-00230-70-8"),
        ("20-26756539-3", "NATIONAL_ID", "20-26756539-3"),
        ("PAN ABCPE1234F", "NATIONAL_ID", "ABCPE1234F"),
        ("ID no 8001015009087", "NATIONAL_ID", "8001015009087"),
        ("Personalausweis L01X00T47", "NATIONAL_ID", "L01X00T47"),
        ("s.i.n. 130-692-544", "NATIONAL_ID", "130-692-544"),
        ("socsec 123456789", "SSN", "123456789"),
        ("paszport ZS 4410287", "PASSPORT", "ZS 4410287"),
        ("Passnummer L01X00T47", "PASSPORT", "L01X00T47"),
        ("mein Pass ist L01X00T47", "PASSPORT", "L01X00T47"),
        ("pass nr l01x00t47", "PASSPORT", "l01x00t47"),
        ("patente di guida MI5520917X", "DRIVER_LICENSE", "MI5520917X"),
        ("BSB 733-104", "BANK_ACCOUNT", "733-104"),
        ("card 5105 10 51 05 10 51 00", "CARD", "5105 10 51 05 10 51 00"),
        ("yo its 2 1 2 5 5 5 0 1 8 8 ok", "PHONE", "2 1 2 5 5 5 0 1 8 8"),
        ("mongodb://root:toor1@mongo.example:27017/x", "URL", "mongodb://root:toor1@mongo.example:27017/x"),
        ("see verein.de/galerie", "URL", "verein.de/galerie"),
        ("trouwdag 6 juni 2009", "DATE", "6 juni 2009"),
        ("am 8. August 2024", "DATE", "8. August 2024"),
        ("27 rue Pasteur", "ADDRESS", "27 rue Pasteur"),
        ("ul. Polna 7", "ADDRESS", "ul. Polna 7"),
        ("D-10115 Berlin", "ZIP", "10115"),
        ("youtu.be/abc123", "URL", "youtu.be/abc123"),
        ("mac 001B638445E6", "MAC", "001B638445E6"),
        ("rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh", "CRYPTO", "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh"),
        ("NI number QQ 12 34 56 C", "NATIONAL_ID", "QQ 12 34 56 C"),
        ("RFC VECJ880326XXX", "NATIONAL_ID", "VECJ880326XXX"),
        ("My Number 1234 5678 9018", "NATIONAL_ID", "1234 5678 9018"),
        ("national id 12345678901", "NATIONAL_ID", "12345678901"),
        ("id 10000000146", "NATIONAL_ID", "10000000146"),
        ("passport no. L01X00T47", "PASSPORT", "L01X00T47"),
        ("driver's license D1234567", "DRIVER_LICENSE", "D1234567"),
        ("my driving licence: W426-545-30-761-0", "DRIVER_LICENSE", "W426-545-30-761-0"),
        ("my number is 467 3395", "PHONE", "467 3395"),
        ("434 14 557 is my new mobile", "PHONE", "434 14 557"),
        ("60-56-85-91 is my phone", "PHONE", "60-56-85-91"),
        ("can you change it to 467 3395?", "PHONE", "467 3395"),
        ("(99) 645-791", "PHONE", "(99) 645-791"),
        ("123-456-7890", "PHONE", "123-456-7890"),
        ("0487 98 11 92", "PHONE", "0487 98 11 92"),
        ("I'm 34.", "AGE", "34"),
        ("at the age of 34 he left", "AGE", "34"),
        ("from 106.31.73.20 at noon", "IP", "106.31.73.20"),
        ("fe80::1ff:fe23:4567:890a", "IP", "fe80::1ff:fe23:4567:890a"),
        ("00:1B:63:84:45:E6", "MAC", "00:1B:63:84:45:E6"),
        ("00-1B-63-84-45-E6", "MAC", "00-1B-63-84-45-E6"),
        ("see https://example.org/a(b)?c=d, please", "URL", "https://example.org/a(b)?c=d"),
        ("(www.example.se)", "URL", "www.example.se"),
        ("born 21.11.1987", "DATE", "21.11.1987"),
        ("on 2026-11-21 12:03:11 it rained", "DATE", "2026-11-21 12:03:11"),
        ("born March 5, 1984", "DATE", "March 5, 1984"),
        ("He turned 69", "AGE", "69"),
        ("a 34-year-old woman", "AGE", "34"),
        ("221B Baker Street", "ADDRESS", "221B Baker Street"),
        ("12 Main Street, Springfield, IL 62704", "ADDRESS", "12 Main Street, Springfield, IL 62704"),
        ("Unit 4719 Box 7394\nDPO AP 70942", "ADDRESS", "Unit 4719 Box 7394\nDPO AP 70942"),
        ("PO Box 123", "ADDRESS", "PO Box 123"),
        ("Hauptstraße 5", "ADDRESS", "Hauptstraße 5"),
        ("Rue de la Paix 12", "ADDRESS", "Rue de la Paix 12"),
        ("Beverly Hills, CA 90210-1234", "ZIP", "90210-1234"),
        ("London SW1A 1AA", "ZIP", "SW1A 1AA"),
        ("Ottawa K1A 0B1", "ZIP", "K1A 0B1"),
        ("２１２-５５５-０１８８", "PHONE", "２１２-５５５-０１８８"),
        ("phone ٠٢٠ ٧٩٤٦ ٠٩٥٨", "PHONE", "٠٢٠ ٧٩٤٦ ٠٩٥٨"),
        ("4111\u00a01111\u00a01111\u00a01111", "CARD", "4111\u00a01111\u00a01111\u00a01111"),
    ],
)
def test_what_has_the_shape_and_the_checksum_is_found(text: str, type: str, value: str) -> None:
    assert found(text) == [(type, value)]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112 fails its check",
        "GB82WEST12345698765433 fails its check",
        "RSSMRA85T10A562T",
        "12345678A",
        "BG123456C",
        "529.982.247-26",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "000-12-3456 and 666-12-3456 and 912-12-3456 and 123-00-4567 and 078-05-1120",
        "pi is 3.14159265358979, build 20261121",
        "paid 1,234,567 of 12345678",
        "0000 0000 0000 0000",
        "version 10.0.19041.1 and v1.2.3.4 and 1.2.3.4.5 and 256.1.1.1",
        "std::vector and a::b and 12:30:11",
        "x = [1, 2, 3]; y = 2 ** 31 - 1",
        "me@home and @decorator",
        "covering 125 miles; the party are wearing 4 inch heels",
        "10 copies of Wall Street Journal",
        "the Find dialog box.\n3. Click",
        "for children of any age. 2 of them",
        "it costs $212-555-0188",
        "from 1999-2004 and 2018 2019, 123 4567 890, 1 467-3395, x = 467-3395",
        "I am 34 minutes late and she is 5 short",
        "17-03-231-018-1116 and vol. 12(3) 456-789, 123 456 78901",
        "order number 467-3395 and number 12345678",
        "in 1977, 20 songs, 3 of 4, the 2nd",
        "see os.path and self.com_port",
    ],
)
def test_what_only_resembles_it_is_left(text: str) -> None:
    assert found(text) == []


@given(st.text(alphabet=st.sampled_from("0123456789 -./()+@:aAzZ,\n٣é#%"), max_size=200))
def test_findings_are_in_order_within_the_text_and_never_overlap(text: str) -> None:
    entities, cut = find(text)
    assert not cut
    end = 0
    for one in entities:
        assert end <= one.start < one.end <= len(text)
        assert one.type in TYPES and 0 < one.score <= 1
        end = one.end


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    find(text)


@pytest.mark.parametrize(
    "said",
    [
        *(
            "+44 (0)20 7946 0958",
            "+44(0)20 7946 0958",
            "+49 30 / 901820",
            "0049 30 901820",
            "00 44 20 7946 0958",
            "011 44 20 7946 0958",
        ),
        *(
            "+44.2079460958",
            "01.42.68.53.00",
            "0171/1234567",
            "0171/123 45 67",
            "(0171) 123 45 67",
            "030-901820",
            "089 / 12 34 56 78",
        ),
        *(
            "07700 900123",
            "07700-900-123",
            "0412 345 678",
            "(02) 9876 5432",
            "090-1234-5678",
            "138 0013 8000",
            "98765 43210",
        ),
        *(
            "(11) 91234-5678",
            "8 (495) 123-45-67",
            "0532 123 45 67",
            "612 34 56 78",
            "06-12345678",
            "070-123 45 67",
            "0664 1234567",
        ),
        *(
            "0812-3456-7890",
            "0712 345678",
            "1-800-FLOWERS",
            "1-800-555-CARE",
            "212-555-0142, extension 4",
            "212-555-0142 (ext. 4)",
        ),
    ],
)
def test_telephone_numbers_are_found_as_the_world_writes_them(said: str) -> None:
    assert found(f"Hallo, {said} bye") == [("PHONE", said)]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "T: 020 7946 0958",
            "Ph: 9876543210",
            "my number is 9876543210",
            "phone_number=9876543210",
            '"phoneNumber": "9876543210"',
        ),
        *(
            "Rufen Sie unter 1234567 an",
            "mon portable: 612345678",
            "mi móvil es 612345678",
            "zadzwoń 601234567",
            "bel 612345678",
        ),
        *(
            "телефон 9161234567",
            "我的电话是13800138000",
            "13800138000是我的手机",
            "手机号码：13800138000",
            "전화 1012345678",
        ),
    ],
)
def test_a_word_for_a_telephone_in_many_languages_is_enough(text: str) -> None:
    assert [type for type, _ in found(text)] == (["PHONE"] if "是我的" not in text else [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("Age: 34", "34"),
            ('"age": 34,', "34"),
            ("34 y.o. male", "34"),
            ("34yo", "34"),
            ("my 18-month-old son", "18"),
        ),
        *(
            ("my son is 7", "7"),
            ("her daughter, who is 12, plays", "12"),
            ("John Smith, 34, said", "34"),
            ("Maria Lopez (34)", "34"),
        ),
        *(
            ("thirty-four years old", "thirty-four"),
            ("in her early 40s", "40s"),
            ("I (34F) and", "34"),
            ("34岁", "34"),
            ("我今年34岁", "34"),
        ),
        *(
            ("ich bin 34 Jahre alt", "34"),
            ("ein 34-jähriger Mann", "34"),
            ("j'ai 34 ans", "34"),
            ("une femme de 34 ans", "34"),
        ),
        *(
            ("tengo 34 años", "34"),
            ("edad: 34", "34"),
            ("ho 34 anni", "34"),
            ("tenho 34 anos", "34"),
            ("ik ben 34 jaar", "34"),
        ),
        *(
            ("mam 34 lata", "34"),
            ("en 34-årig kvinna", "34"),
            ("olen 34-vuotias", "34"),
            ("34 yaşında", "34"),
            ("мне 34 года", "34"),
        ),
    ],
)
def test_ages_are_found_as_several_languages_say_them(text: str, value: str) -> None:
    assert ("AGE", value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "il y a 34 ans",
            "hace 34 años",
            "vor 34 Jahren",
            "tengo 10 años de experiencia",
            "21세기",
            "a loan of 20 years",
            "page 34, line 2",
        ),
        *(
            "in the 1980s and the 90s",
            "see Figure 4, 34, and",
            "two years older",
            "a garantie de 10 ans",
            "There are 34, 35, 36",
            "score of 34",
        ),
        *("order 0012345678901", "units 66 PH and 17-03-231-018-1116", "3 + 44 20", "x = +3.140000", "12/0/1234567"),
    ],
)
def test_years_that_are_nobody_s_age_and_numbers_that_nobody_dials_are_left(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Gartenweg 5\n04277 Leipzig", "04277"),
        ("Kerklaan 88, 3581 GR Utrecht", "3581 GR"),
        ("ul. Polna 7, 90-211 Łódź", "90-211"),
        ("Ringvägen 101, 413 20 Göteborg", "413 20"),
        ("Travessa do Carmo 4, 4050-164 Braga", "4050-164"),
    ],
)
def test_a_postal_code_stands_between_street_and_town(text: str, code: str) -> None:
    assert ("ZIP", code) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 0091 7719 fails its check",
        "card number 4111 1111 1111 1112 is wrong",
        "nhs 943 476 5910 fails its check",
        "pp. 120-135",
        "run 1234567",
        "via Bandcamp in 2015",
        "qty 1200, unit 0.035",
        "package com.example;",
        "the company is 110 years old",
        "10-year-old whisky",
        "ages 3 to 12",
        "NL91 ABNA 0417 1640 77",
        "int(_)\n3232235521\n",
        "PIN: 1234",
        "part no. 030-901820",
        "ticket 0049-301-882",
        "ref 0171 1234567",
        "ISSN 2049-3630",
        "telephone exchange 1878-1879",
        "the phone costs 1 299 999 won",
        "12 345 678 inhabitants",
        "numbers 10 20 30 40",
        "lottery 04 17 23 31 42 07",
        "version 4.12.1.2001",
        "license key AAAA-BBBB-1234-5678",
        "user id 12345",
        "zip file 12345 bytes",
        "Unit 3 test",
        "Box 5 of 12",
        "mongodb://localhost:27017",
        "main.in and foo.io.read",
        "script main.pl and model.pt",
        "icon@2x.png",
        "open 0900-1700",
        "a deposit of 250000 euros",
        "firmware 10.2.0.1",
        "serial 402-11-9983",
        "licence plate AB12CDE",
        "badges 60000-70000",
        "refused until a person lets it pass (bf54a4bd24)",
        "all tests pass 9f8e7d6c",
        "see pp 12345678",
    ],
)
def test_what_only_looks_like_a_document_a_street_or_an_age_is_left(text: str) -> None:
    assert found(text) == []


def test_a_word_before_a_number_raises_its_score() -> None:
    assert find("born 5/3/1984")[0][0].score > find("on 5/3/1984")[0][0].score
    assert find("ssn 123-45-6789")[0][0].score > find("hers 123-45-6789")[0][0].score


def test_a_word_inside_a_placeholder_tells_nothing() -> None:
    assert found("phone 1234567") == [("PHONE", "1234567")]
    assert found("[phone] 1234567") == []


def test_of_two_that_overlap_the_certain_one_stays_then_the_number_then_the_longer() -> None:
    sure, long = Entity("EMAIL", 5, 10, 1.0), Entity("ADDRESS", 0, 20, 0.8)
    number, name = Entity("PHONE", 5, 10, 0.8), Entity("PERSON", 4, 12, 0.85)
    zip, street = Entity("ZIP", 15, 20, 0.85), Entity("ADDRESS", 0, 20, 0.7)
    assert resolve([long, sure]) == [sure]
    assert resolve([name, number]) == [number]
    assert resolve([zip, street]) == [street]
    assert resolve([]) == []


@pytest.mark.parametrize("part", ["1 ", "1.", "(1", "1/", "4111 ", "12 345 6 ", "call 12-34-56-78 ", "1\n"])
def test_twice_the_digits_are_twice_the_work(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(size: int) -> int:
        count = 0
        windows = numbers._window

        def counted(*args: object) -> bool:
            nonlocal count
            count += 1
            return windows(*args)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(numbers, "_window", counted)
            find(part * size)
        return count

    small, large = tried(500), tried(1000)
    assert large <= 2.1 * small + 10


def test_the_library_verifies_only_so_many_candidates_and_says_when_it_stopped() -> None:
    text = ", ".join(
        f"+55 015 11 3876 {number}" for number in range(2000, 2400)
    )  # a carrier's code, which it takes off
    entities, cut = find(text)
    assert cut
    verified = [one for one in entities if one.score == 1]
    assert len(entities) == 400
    assert not find("+55 015 11 3876 2345, " * 400)[1]  # one number, however often
    assert 0 < len(verified) <= scan.FREE_CHECKS + len(text) * scan.CHECKS_PER_1000 // 1000


def test_a_list_of_telephone_numbers_is_read_to_its_end() -> None:
    for form in ("({}) 555-{}", "+1 {} 555 {}", "0{} 555 {}", "+44 20 8{} {}"):
        entities, cut = find(", ".join(form.format(area, 1000 + area) for area in range(200, 999)))
        assert not cut
        assert [one.type for one in entities] == ["PHONE"] * 799


def test_a_table_of_numbers_is_looked_at_only_so_far_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not find("12/31 10:15 4111 " * 20)[1]
    monkeypatch.setattr(scan, "FREE_TRIES", 5)
    monkeypatch.setattr(scan, "TRIES_PER_1000", 0)
    assert find("1.2.3.4, " * 10)[1]


def test_more_words_with_digits_than_are_read_cut_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "MOST_WORDS", 10)
    assert find("a1 " * 10) == ([], False)
    assert find("a1 " * 11) == ([], True)


def test_plain_prose_asks_for_no_library() -> None:
    code = (
        "import sys\n"
        "from demitasse.guard import personal\n"
        "personal.find('Write to ann@example.org about the 3 cards: 4111 1111 1111 1111.')\n"
        "print([name for name in sys.modules if name.startswith(('phonenumbers', 'numpy', 'spacy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ── what is done to be quick loses nothing ──────────────────────────────────────────────────────────────────────────

SIGNS = st.text(alphabet=st.sampled_from("0123456789 -./()+@:,aAzZbf_%'"), max_size=40)
KNOWN = (
    "a@b.com ann.b+c@mail.example.org 'x@y.co.uk' www.example.se https://x.y/z?(a) a.com. 00:1B:63:84:45:E6 fe80::1 ::1 "
    "00-1B-63-84-45-E6 001b.6384.45e6 +44 +1 (212) 555-0188 0044 20 7946 0958 4111-1111-1111-1111 1.1.2001 12/31/99 "
    "10.0.0.1 943 476 5919 529.982.247-25 123-45-6789 phone card id account [phone] 2nd ４１ ٠٢٠ – . : @ / - ( ) _"
)
PIECES = st.lists(st.one_of(st.sampled_from([*KNOWN.split(), " ", "\n"]), SIGNS), max_size=12).map("".join)


def plainly(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Where a pattern matches that is tried at every character."""
    return [match.span() for match in pattern.finditer(text)]


EMAIL = re.compile(
    r"(?<![\w.%+&-])\w[\w.%+&'-]{0,63}+@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![^\W_]|-|_+[^\W_])",
    re.IGNORECASE,
)


def test_a_mail_address_between_the_signs_of_emphasis_is_one() -> None:
    assert [(one.type, one.end) for one in personal.find("_jane.doe@example.com_ is hers")[0]] == [("EMAIL", 21)]
    assert personal.find("a jane@example.com_x")[0] == []


@given(PIECES)
@settings(max_examples=400, deadline=None)
def test_from_its_signs_on_everything_is_found_that_is_found_by_trying_everywhere(text: str) -> None:
    looked = scan.Scan(text)
    web.emails(looked)
    assert [(one.start, one.end) for one in looked.found] == plainly(EMAIL, looked.text)
    looked = scan.Scan(text)
    web.urls(looked)
    schemes = [(one.start, one.end) for one in looked.found if one.score == 1]
    domains = [(one.start, one.end) for one in looked.found if one.score < 1]
    for seen, pattern in ((schemes, web._URL), (domains, web._DOMAIN)):
        assert seen == [(a, web._tail(looked.text, a, b)) for a, b in plainly(pattern, looked.text)]
    looked = scan.Scan(text)
    web.dashed_mac(looked)
    assert sorted((one.start, one.end) for one in looked.found) == plainly(web._DASHED_MAC, looked.text)
    looked = scan.Scan(text)
    web.colons(looked)
    runs = [(a, looked.text[a:b].rstrip(".:")) for a, b in plainly(web._COLONS, looked.text)]
    macs = [(a, a + len(said)) for a, said in runs if web._MAC.fullmatch(said)]
    assert [(one.start, one.end) for one in looked.found if one.type == "MAC"] == macs


@given(st.lists(st.integers(1, 12), min_size=1, max_size=14).map(tuple))
def test_the_tree_of_shapes_knows_what_the_table_knows(sizes: tuple[int, ...]) -> None:
    most = min(len(sizes), forms.MOST_GROUPS)
    known = [end for end in range(most, 0, -1) if sizes[:end] in forms.SHAPES or (end == 1 and sizes[0] >= 7)]
    assert forms._ends(sizes, 0) == known


@given(PIECES)
@settings(max_examples=300, deadline=None)
def test_windows_that_are_not_looked_at_hold_nothing(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbers, "nobodys", lambda *_: False)
        patch.setattr(phones, "whole", lambda *_: False)
        patch.setattr(personal, "_may_follow", lambda *_: True)
        every = find(text)
    assert find(text) == every


@given(st.text(alphabet="ab1 [.é", max_size=90), st.lists(st.integers(0, 90), max_size=6).map(sorted))
def test_words_before_a_place_are_the_same_however_many_places_were_asked_before(text: str, places: list[int]) -> None:
    looked = scan.Scan(text.replace("ab", "phone"))
    for at in places:
        assert looked.topics(at) == context.topics(looked.text, at)


def library(number: str, region: str | None) -> float:
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return 0.0
    return 1.0 if phonenumbers.is_valid_number(parsed) else 0.7 * phonenumbers.is_possible_number(parsed)


EXAMPLES = [
    "+" + str(shown.country_code) + phonenumbers.national_significant_number(shown)
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.values()
    for region in code
    if (shown := phonenumbers.example_number(region)) is not None
]
CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


@given(
    st.one_of(
        st.tuples(
            st.one_of(st.sampled_from(CODES).map(str), st.text("0123456789", max_size=3)),
            st.text("0123456789", min_size=1, max_size=12),
        )
        .map("".join)
        .map("+".__add__),
        st.tuples(st.sampled_from(EXAMPLES), st.sampled_from(["", "0", "00", "7"]), st.integers(2, 5)).map(
            lambda it: it[0][: it[2]] + it[1] + it[0][it[2] :]
        ),
    ),
    st.sampled_from([None, "US", "GB", "FR", "DE", "AU", "CH", "BE", "NL", "ZA", "IT", "JP", "BR", "RU"]),
)
@settings(max_examples=600, deadline=None)
def test_what_is_said_of_a_number_is_what_the_library_says(number: str, region: str | None) -> None:
    if region is not None:
        number = number[2:] or "0"
    assert dialled.verdict(number, region) == library(number, region)


def test_for_nearly_all_numbers_the_tables_are_enough() -> None:
    left = [number for number in EXAMPLES if dialled.known(number, None) is None]
    assert len(left) <= len(EXAMPLES) * 0.02


def test_no_north_american_number_is_taken_for_one_that_nobody_has() -> None:
    for area in range(200, 1000):
        for exchange in ("055", "123"):
            number = f"{area}{exchange}0188"
            assert dialled.verdict(number, "US") == library(number, "US"), number


def test_a_sign_that_is_no_letter_before_a_letter_is_no_empty_word() -> None:
    assert personal.find("\ua9d8S") == ([], False)
