#!/usr/bin/env python3
"""Asks python-stdnum, which shares no code with restage, whether masked identifiers are valid.

    scripts/validate.py [--restage PROGRAM] [--count N] [KIND…]

For each kind, N valid numbers are made, masked by `restage mask` under the published test key, and judged: every mask is
valid, no two are equal, and separators stand where they stood. Exit 1 if a kind fails, 3 if python-stdnum is not installed
(`pip install python-stdnum`; scripts/test puts it into target/venv).
"""

import argparse
import datetime
import os
import random
import re
import subprocess
import sys
import tempfile

try:
    from stdnum import ean, iban, luhn, verhoeff
    from stdnum.au import tfn
    from stdnum.be import nn
    from stdnum.br import cnpj, cpf
    from stdnum.ca import sin
    from stdnum.ch import ssn as ahv
    from stdnum.cn import ric
    from stdnum.de import idnr
    from stdnum.dk import cpr
    from stdnum.es import dni, nie
    from stdnum.fi import hetu
    from stdnum.fr import nir
    from stdnum.gb import nhs
    from stdnum.in_ import aadhaar
    from stdnum.iso7064 import mod_11_10
    from stdnum.it import codicefiscale
    from stdnum.nl import bsn
    from stdnum.no import fodselsnummer, kontonr
    from stdnum.pl import pesel
    from stdnum.pt import nif
    from stdnum.se import personnummer
    from stdnum.us import ein, ssn
    from stdnum.za import idnr as za_id
except ImportError:
    print("python-stdnum is not installed: pip install python-stdnum", file=sys.stderr)
    sys.exit(3)

TEST_KEY = "mk1-" + bytes(range(32)).hex() + "-4a78b3a6"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
rng = random.Random(20261120)


def digits(count):
    return "".join(rng.choices("0123456789", k=count))


def letters(count):
    return "".join(rng.choices(LETTERS, k=count))


def date(form, first=1930, last=2023):
    days = (datetime.date(last, 12, 31) - datetime.date(first, 1, 1)).days
    return (datetime.date(first, 1, 1) + datetime.timedelta(rng.randrange(days))).strftime(form)


def be_nn():
    day = date("%Y%m%d")
    number = day[2:] + f"{rng.randint(1, 998):03}"
    check = 97 - int(("2" if day >= "2000" else "") + number) % 97
    return f"{number[:2]}.{number[2:4]}.{number[4:6]}-{number[6:]}.{check:02}"


def fr_nir():
    department = rng.choice([f"{n:02}" for n in range(1, 96)] + ["2A", "2B", "99"])
    number = rng.choice("12") + date("%y%m") + department + f"{rng.randint(1, 990):03}{rng.randint(1, 999):03}"
    return number + nir.calc_check_digits(number)


def it_cf():
    year, month, day = date("%Y %m %d", 1930, 2019).split()
    day = int(day) + rng.choice([0, 40])
    number = letters(6) + year[2:] + "ABCDEHLMPRST"[int(month) - 1] + f"{day:02}" + rng.choice("ABCDEFGHILMZ")
    number += f"{rng.randint(1, 999):03}"
    if rng.random() < 0.2:
        # Two persons would have the same code: a digit is written as a letter.
        at = rng.choice([6, 7, 9, 10, 12, 13, 14])
        number = number[:at] + "LMNPQRSTUV"[int(number[at])] + number[at + 1 :]
    return number + codicefiscale.calc_check_digit(number)


def pl_pesel():
    year, month, day = map(int, date("%Y %m %d").split())
    number = f"{year % 100:02}{month + (20 if year >= 2000 else 0):02}{day:02}{digits(4)}"
    return number + pesel.calc_check_digit(number)


def se_pnr():
    day, serial = date("%Y%m%d"), digits(3)
    number = day[2:] + serial + luhn.calc_check_digit(day[2:] + serial)
    # The short form means the last hundred years.
    short = day >= "1927"
    return rng.choice([number[:6] + "-" + number[6:], number] if short else [day[:2] + number])


def br_cpf():
    number = digits(9)
    number += cpf._calc_check_digits(number)
    return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"


def br_cnpj():
    number = "".join(rng.choices("0123456789" + (LETTERS if rng.random() < 0.3 else ""), k=12))
    return number + cnpj.calc_check_digits(number)


def in_aadhaar():
    number = rng.choice("23456789") + digits(10)
    number += verhoeff.calc_check_digit(number)
    return f"{number[:4]} {number[4:8]} {number[8:]}"


def fi_hetu():
    year, month, day = map(int, date("%Y %m %d", 1880, 2023).split())
    sign = {18: "+", 19: rng.choice("-YXWVU"), 20: rng.choice("ABCDEF")}[year // 100]
    born, serial = f"{day:02}{month:02}{year % 100:02}", f"{rng.randint(2, 899):03}"
    return born + sign + serial + hetu._calc_checksum(born + serial)


def no_fnr():
    number = date("%d%m%y") + digits(3)
    first = fodselsnummer.calc_check_digit1(number)
    return number + first + fodselsnummer.calc_check_digit2(number + first)


def cn_ric():
    area = rng.choice(["110101", "310104", "440106", "510104", "330102", "210102", "110105"])
    number = area + date("%Y%m%d") + digits(3)
    return number + ric.calc_check_digit(number + "0")


def za():
    number = date("%y%m%d") + digits(4) + rng.choice("01") + "8"
    return number + luhn.calc_check_digit(number)


def with_check(make, check):
    def made():
        number = make()
        return number + str(check(number))

    return made


def of_form(form):
    return "".join(
        "".join(rng.choices({"n": "0123456789", "a": LETTERS, "c": "0123456789" + LETTERS}[kind], k=int(count)))
        for count, kind in re.findall(r"(\d+)!([nac])", form)
    )


def account_form():
    known = [(country, info["bban"]) for _, country, _, info, _ in iban._ibandb.prefixes]
    return rng.choice(known)


def make_iban():
    country, form = account_form()
    bban = of_form(form)
    bban = INNER.get(country, (lambda bban: bban, None))[0](bban)
    number = country + "00" + bban
    return country + iban.calc_check_digits(number) + bban


def french_key(bban):
    table = str.maketrans(LETTERS, "12345678912345678923456789")
    return 97 - int(bban[:21].translate(table)) * 100 % 97


def inner_es(bban):
    from stdnum.es import ccc

    return bban[:8] + ccc.calc_check_digits(bban) + bban[10:]


def inner_no(bban):
    return bban[:10] + kontonr._calc_check_digit(bban[:10])[-1]


# How a national part gets its check digits, by country.
INNER = {
    "BE": (lambda bban: bban[:10] + f"{int(bban[:10]) % 97 or 97:02}", None),
    "ES": (inner_es, None),
    "FR": (lambda bban: bban[:21] + f"{french_key(bban):02}", None),
    "IT": (lambda bban: codicefiscale.calc_check_digit(bban[1:]) + bban[1:], None),
    "NO": (inner_no, kontonr.is_valid),
    "PT": (lambda bban: bban[:19] + f"{98 - int(bban[:19]) * 100 % 97:02}", None),
}


def iban_is_valid(number):
    if not iban.is_valid(number, check_country=False):
        return False
    country, bban = number[:2], number[4:]
    if country == "NO":
        return not bban.startswith("0000") and kontonr.is_valid(bban)
    return country not in INNER or INNER[country][0](bban) == bban


def nino_is_valid(number):
    # No module of stdnum: the rule as HM Revenue and Customs publishes it (NIM39110).
    form = r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]"
    return re.fullmatch(form, number) is not None


def card():
    number = rng.choice(["4", "51", "37", "6011"])
    number += digits((15 if number == "37" else 16) - len(number) - 1)
    return number + luhn.calc_check_digit(number)


# Per kind: how a candidate is made (again and again until it is valid), and the judge of candidates and masks.
KINDS = {
    "be.nn": (be_nn, nn.is_valid),
    "nl.bsn": (lambda: digits(9), bsn.is_valid),
    "fr.nir": (fr_nir, nir.is_valid),
    "de.idnr": (with_check(lambda: digits(10), mod_11_10.calc_check_digit), idnr.is_valid),
    "es.dni": (with_check(lambda: digits(8), dni.calc_check_digit), dni.is_valid),
    "es.nie": (with_check(lambda: rng.choice("XYZ") + digits(7), nie.calc_check_digit), nie.is_valid),
    "it.cf": (it_cf, codicefiscale.is_valid),
    "pl.pesel": (pl_pesel, pesel.is_valid),
    "se.pnr": (se_pnr, personnummer.is_valid),
    "br.cpf": (br_cpf, cpf.is_valid),
    "br.cnpj": (br_cnpj, cnpj.is_valid),
    "in.aadhaar": (in_aadhaar, aadhaar.is_valid),
    "us.ssn": (lambda: f"{digits(3)}-{digits(2)}-{digits(4)}", ssn.is_valid),
    "us.ein": (lambda: f"{digits(2)}-{digits(7)}", ein.is_valid),
    "gb.nhs": (lambda: digits(10), nhs.is_valid),
    "gb.nino": (lambda: letters(2) + digits(6) + rng.choice("ABCD"), nino_is_valid),
    "ca.sin": (with_check(lambda: digits(8), luhn.calc_check_digit), sin.is_valid),
    "au.tfn": (lambda: digits(9), tfn.is_valid),
    "fi.hetu": (fi_hetu, hetu.is_valid),
    "no.fnr": (no_fnr, fodselsnummer.is_valid),
    "dk.cpr": (lambda: date("%d%m%y") + "-" + digits(4), cpr.is_valid),
    "ch.ahv": (with_check(lambda: "756" + digits(9), ean.calc_check_digit), ahv.is_valid),
    "pt.nif": (with_check(lambda: rng.choice("123568") + digits(7), nif.calc_check_digit), nif.is_valid),
    "cn.ric": (cn_ric, ric.is_valid),
    "za.id": (za, za_id.is_valid),
    "iban": (make_iban, iban_is_valid),
    "card": (card, luhn.is_valid),
}

# Kinds with parameters: made and judged as above, then what is expected of the mask.
MORE = {
    "card void=true": (card, luhn.is_valid, lambda mask: not luhn.is_valid(mask)),
}


def masked(program, key, kind, params, values):
    command = [program, "mask", kind, "--key-file", key, "--allow-test-key"]
    for param in params:
        command += ["--param", param]
    run = subprocess.run(command, input="\n".join(values) + "\n", capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command[:3])} ended with {run.returncode}: {run.stderr}")
    return run.stdout.splitlines()


def form(text):
    return re.sub(r"[0-9A-Za-z]", "#", text)


def judge(program, key, name, count):
    """Returns what is wrong with a kind, in words."""
    if name in MORE:
        make, valid, good = MORE[name]
    else:
        make, valid = KINDS[name]
        good = valid
    kind, *params = name.split()
    values = set()
    for _ in range(count * 100):
        candidate = make()
        if valid(candidate):
            values.add(candidate)
        if len(values) == count:
            break
    values = sorted(values)
    masks = masked(program, key, kind, params, values)
    wrong = []
    if len(values) < count:
        wrong.append(f"only {len(values)} valid numbers were made")
    if len(masks) != len(values):
        return wrong + [f"{len(masks)} masks for {len(values)} numbers"]
    pairs = list(zip(values, masks))
    for words, found in [
        ("is not valid", [pair for pair in pairs if not good(pair[1])]),
        ("has other separators", [pair for pair in pairs if form(pair[0]) != form(pair[1])]),
    ]:
        if found:
            wrong.append(f"{len(found)} masks: {found[0][1]}, the mask of {found[0][0]}, {words}")
    if len(set(masks)) != len(masks):
        wrong.append(f"{len(masks) - len(set(masks))} numbers share a mask with another")
    unchanged = sum(value == mask for value, mask in pairs)
    if unchanged > 2 + count // 1000:
        wrong.append(f"{unchanged} numbers are their own mask")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--restage", default="target/debug/restage", help="the program (default: %(default)s)")
    parser.add_argument("--count", type=int, default=10_000, help="numbers per kind (default: %(default)s)")
    parser.add_argument("kind", nargs="*", help="kinds to judge (default: all)")
    args = parser.parse_args()
    names = args.kind or [*KINDS, *MORE]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "test.key")
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(TEST_KEY + "\n")
        for name in names:
            wrong = judge(args.restage, key, name, args.count)
            failed += bool(wrong)
            print(f"{name:16}", "; ".join(wrong) if wrong else f"{args.count} masks, all as they should be", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
