#!/usr/bin/env python3
"""Writes tests/corpus/{dev,held}.jsonl: columns of made-up schemas with their category and made-up values.

Needs `pip install faker==40.63.0 python-stdnum`. Persons are invented, e-mail domains are reserved (RFC 2606), telephone
numbers are of ranges kept for fiction where a country has one, addresses are those of RFC 5737 and 3849. Deterministic.

A schema is written as `table: column type label generator; …`; label `-` means nothing personal.
"""
import hashlib, json, pathlib, random, string, sys, uuid
from faker import Faker

R = random.Random(20261128)
LOCALES = {"us": "en_US", "gb": "en_GB", "de": "de_DE", "fr": "fr_FR", "es": "es_ES", "pt": "pt_BR", "it": "it_IT",
           "nl": "nl_NL", "pl": "pl_PL", "sv": "sv_SE", "ja": "ja_JP"}
F = {}
for key, locale in LOCALES.items():
    F[key] = Faker(locale); F[key].seed_instance(7 + len(F))
DOMAINS = ["example.com", "example.org", "example.net", "mail.example", "firma.example"]


def digits(n): return "".join(R.choice(string.digits) for _ in range(n))
def ascii_name(text):
    import unicodedata
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if c.isascii() and c.isalnum()) or "x"
def email(l="us"):
    f = F[l]
    if l == "ja": return f"{F['us'].user_name()}@{R.choice(DOMAINS)}"
    return R.choice(["{a}.{b}", "{a}{n}", "{b}", "{a}_{b}"]).format(a=ascii_name(f.first_name()), b=ascii_name(f.last_name()), n=R.randint(1, 99)) + "@" + R.choice(DOMAINS)
def phone(l="us"):
    n = R.randint(0, 99)
    forms = {"us": [f"+1-{R.randint(201,989)}-555-01{n:02}", f"({R.randint(201,989)}) 555-01{n:02}", f"{R.randint(201,989)}-555-01{n:02}"],
             "gb": [f"+44 7700 900{R.randint(0,999):03}", f"07700 900{R.randint(0,999):03}", f"020 7946 0{R.randint(0,999):03}"],
             "de": [f"030 23125 {R.randint(0,999):03}", f"+49 30 23125{R.randint(0,999):03}", f"0171/39200{n:02}"],
             "fr": [f"01 99 00 {n:02} {R.randint(0,99):02}", f"+33 6 39 98 {n:02} {R.randint(0,99):02}", f"06.39.98.{n:02}.{R.randint(0,99):02}"],
             "es": [f"+34 600 55 {n:02} {R.randint(0,99):02}", f"91 555 {digits(4)}"], "pt": [f"(11) 95555-{digits(4)}", f"+55 21 5555-{digits(4)}"],
             "it": [f"+39 06 555 {digits(4)}", f"333 555 {digits(4)}"], "nl": [f"+31 20 555 {digits(4)}", f"06-55501{digits(3)}", f"020-555{digits(4)}"],
             "pl": [f"+48 22 555 {n:02} {R.randint(0,99):02}", f"600 555 {digits(3)}"], "sv": [f"+46 8 465 004 {n:02}", f"070-1740 6{n:02}"],
             "ja": [f"03-5555-{digits(4)}", f"090-5555-{digits(4)}"]}
    return R.choice(forms[l])
def stdnum_until(check, make):
    while True:
        value = make()
        if check(value): return value
def bsn():
    from stdnum.nl import bsn as m
    return stdnum_until(m.is_valid, lambda: digits(9))
def idnr():
    from stdnum.de import idnr as m
    def make():
        d = R.sample(string.digits, 9); d.append(R.choice(d)); R.shuffle(d); return "".join(d) + digits(1)
    return stdnum_until(m.is_valid, make)
def nhs():
    from stdnum.gb import nhs as m
    return stdnum_until(m.is_valid, lambda: digits(10))
def nir():
    from stdnum.fr import nir as m
    return stdnum_until(m.is_valid, lambda: f"{R.choice('12')}{digits(2)}{R.randint(1,12):02}{R.randint(1,95):02}{R.randint(1,300):03}{digits(3)}{R.randint(1,97):02}")
def cf():
    from stdnum.it import codicefiscale as m
    return stdnum_until(m.is_valid, lambda: F["it"].ssn())
def fromdate(a, b): return F["us"].date_between(a, b)
def ts(): return f"{fromdate('-3y','today')} {R.randint(0,23):02}:{R.randint(0,59):02}:{R.randint(0,59):02}+00"
def dob(): return fromdate("-80y", "-18y")
def name_in_notes(l):
    return R.choice({"us": ["Customer {n} called about the late delivery and wants a refund.", "Spoke with {n}, call back at {p} tomorrow morning.", "Sent the contract to {e}, waiting for the signature.", "Prefers to be contacted in the evening after work.", "Door code is on the back of the card, ask for {n}."],
                     "de": ["Kunde {n} hat angerufen, bitte um Rückruf unter {p}.", "Rechnung wurde an {e} geschickt, er wartet noch.", "Möchte nur abends nach der Arbeit angerufen werden.", "Die Lieferung bitte beim Nachbarn {n} abgeben."],
                     "fr": ["La cliente {n} a appelé pour sa commande en retard.", "Rappeler demain matin au {p} pour la livraison.", "Le colis est à déposer chez le gardien de l'immeuble."],
                     "pt": ["Cliente {n} ligou para reclamar da entrega atrasada.", "Enviar o boleto para {e} ainda hoje, por favor."],
                     "nl": ["Klant {n} belde over de late levering van zijn bestelling.", "Graag terugbellen op {p} na het werk."],
                     "pl": ["Klient {n} prosi o kontakt po południu w sprawie zwrotu.", "Proszę wysłać fakturę na {e} jeszcze dzisiaj."],
                     "es": ["El cliente {n} llamó por el retraso de su pedido.", "Por favor enviar la factura a {e} esta semana."],
                     "it": ["Il cliente {n} ha chiamato per la consegna in ritardo.", "Richiamare domani mattina al numero {p} per favore."],
                     "sv": ["Kunden {n} ringde om den sena leveransen till kontoret.", "Vill bli kontaktad efter klockan fem på kvällen."]}.get("us" if l == "gb" else l)).format(n=F[l].name(), p=phone(l), e=email(l))
PRODUCTS = ["Blue Jeans", "Desk Lamp", "Garden Chair XL", "USB-C Cable", "Coffee Grinder", "Running Shoes", "Oak Table", "Water Bottle", "Phone Case", "Winter Jacket", "Tea Set", "Bike Helmet"]
def seq(start=[1000]):
    start[0] += R.randint(1, 3); return str(start[0])
def luhnish(): return str(4000000000000000 + R.randint(1, 9) * 7919131 + int(digits(9)))
G = {
    "email": email, "phone": phone, "first": lambda l="us": F[l].first_name(), "last": lambda l="us": F[l].last_name(),
    "full": lambda l="us": F[l].name(), "fulllast": lambda l="us": f"{F[l].last_name()}, {F[l].first_name()}",
    "upfull": lambda l="us": F[l].name().upper(), "user": lambda l="us": F["us"].user_name(), "handle": lambda l="us": "@" + F["us"].user_name(),
    "street": lambda l="us": F[l].street_address().replace("\n", ", "), "streetname": lambda l="us": F[l].street_name(),
    "houseno": lambda l="us": str(R.randint(1, 180)) + R.choice(["", "", "", "a", "b"]), "city": lambda l="us": F[l].city(),
    "zip": lambda l="us": F[l].postcode(), "address": lambda l="us": F[l].address().replace("\n", ", "),
    "state": lambda l="us": F["us"].state_abbr(), "statename": lambda l="us": F[l].state() if hasattr(F[l], "state") else F["us"].state(),
    "country": lambda l="us": F[l].country(), "cc": lambda l="us": F["us"].country_code(), "company": lambda l="us": F[l].company(),
    "job": lambda l="us": F[l].job(), "dob": lambda l="us": str(dob()), "dobde": lambda l="us": dob().strftime("%d.%m.%Y"), "dob8": lambda l="us": dob().strftime("%Y%m%d"),
    "dobus": lambda l="us": dob().strftime("%m/%d/%Y"), "year": lambda l="us": str(dob().year), "age": lambda l="us": str(R.randint(18, 90)),
    "ssn": lambda l="us": F["us"].ssn(), "ssn9": lambda l="us": F["us"].ssn().replace("-", ""), "bsn": lambda l="us": bsn(), "idnr": lambda l="us": idnr(), "nhs": lambda l="us": nhs(),
    "nir": lambda l="us": nir(), "cf": lambda l="us": cf(), "cpf": lambda l="us": F["pt"].cpf(), "cnpj": lambda l="us": F["pt"].cnpj(),
    "rg": lambda l="us": F["pt"].rg(), "pesel": lambda l="us": F["pl"].pesel(), "pnr": lambda l="us": F["sv"].ssn(), "dni": lambda l="us": F["es"].nif(), "nie": lambda l="us": F["es"].nie(),
    "nino": lambda l="us": f"{R.choice('ABCEGHJ')}{R.choice('ABCEGH')} {digits(2)} {digits(2)} {digits(2)} {R.choice('ABCD')}", "passport": lambda l="us": R.choice("CFGHJK") + digits(8), "license": lambda l="us": R.choice("ABDF") + digits(7),
    "plate": lambda l="us": F[l].license_plate(), "vin": lambda l="us": F["us"].vin(), "iban": lambda l="de": F[l].iban(), "account": lambda l="us": digits(R.choice([8, 10, 10, 12])),
    "bic": lambda l="us": F["de"].swift(), "blz": lambda l="us": digits(8), "card": lambda l="us": F["us"].credit_card_number("visa16"), "cvv": lambda l="us": digits(3),
    "salary": lambda l="us": f"{R.randint(24000, 140000)}.00", "ip": lambda l="us": R.choice([f"192.0.2.{R.randint(1,254)}", f"198.51.100.{R.randint(1,254)}", f"203.0.113.{R.randint(1,254)}", f"2001:db8::{R.randint(1,9999):x}"]),
    "mac": lambda l="us": "00:00:5e:00:53:%02x" % R.randint(0, 255), "imei": lambda l="us": imei(), "ua": lambda l="us": F["us"].user_agent(),
    "url": lambda l="us": f"https://www.example.{R.choice(['com','org','net'])}/{F['us'].slug()}", "avatar": lambda l="us": f"https://cdn.example.net/u/{R.randint(1,9999)}.png",
    "lat": lambda l="us": f"{R.uniform(-60, 70):.6f}", "lon": lambda l="us": f"{R.uniform(-170, 170):.6f}", "latlon": lambda l="us": f"{R.uniform(-60, 70):.5f}, {R.uniform(-170, 170):.5f}",
    "gender": lambda l="us": R.choice("MF"), "genderword": lambda l="us": R.choice({"us": ["male", "female", "other"], "de": ["männlich", "weiblich", "divers"], "fr": ["homme", "femme"], "pt": ["masculino", "feminino"], "nl": ["man", "vrouw"], "es": ["hombre", "mujer"], "pl": ["kobieta", "mężczyzna"], "it": ["M", "F"], "sv": ["man", "kvinna"]}.get(l, ["M", "F"])),
    "anrede": lambda l="us": R.choice(["Herr", "Frau"]), "bcrypt": lambda l="us": "$2b$12$" + "".join(R.choice(string.ascii_letters + string.digits + "./") for _ in range(53)),
    "pbkdf2": lambda l="us": "pbkdf2_sha256$600000$" + "".join(R.choice(string.ascii_letters) for _ in range(12)) + "$" + "".join(R.choice(string.ascii_letters + string.digits) for _ in range(43)) + "=",
    "plainpw": lambda l="us": F["us"].password(), "jwt": lambda l="us": "eyJhbGciOiJIUzI1NiJ9." + "".join(R.choice(string.ascii_letters + string.digits) for _ in range(40)) + "." + "".join(R.choice(string.ascii_letters + string.digits) for _ in range(43)),
    "token": lambda l="us": "".join(R.choice(string.ascii_letters + string.digits + "-_") for _ in range(32)), "hextoken": lambda l="us": "%040x" % R.getrandbits(160),
    "stripe": lambda l="us": "sk_test_" + "".join(R.choice(string.ascii_letters + string.digits) for _ in range(24)), "pin": lambda l="us": digits(4),
    "notes": name_in_notes, "diagnosis": lambda l="us": R.choice(["J45.9", "E11.9", "I10", "F32.1", "M54.5", "K21.0", "G43.9"]), "diagword": lambda l="us": R.choice(["Asthma", "Hypertension", "Migraine", "Type 2 diabetes", "Low back pain", "Depression"]),
    "blood": lambda l="us": R.choice(["A+", "A-", "B+", "0+", "0-", "AB+"]), "religion": lambda l="us": R.choice(["none", "catholic", "protestant", "muslim", "jewish", "rk", "ev"]), "nationality": lambda l="us": R.choice(["German", "French", "Polish", "Italian", "US", "Turkish"]),
    "marital": lambda l="us": R.choice(["single", "married", "divorced", "widowed"]), "ethnic": lambda l="us": R.choice(["White", "Black", "Asian", "Hispanic", "Other"]), "photo": lambda l="us": "\\xffd8ffe0" + digits(12),
    "mrn": lambda l="us": "MRN" + digits(7), "persnr": lambda l="us": digits(8), "insurance": lambda l="us": R.choice("ABCDEFGH") + digits(9),
    # nothing personal
    "id": lambda l="us": seq(), "bigid": lambda l="us": str(10**9 + int(digits(9))), "luhnish": lambda l="us": luhnish(), "uuid": lambda l="us": str(uuid.UUID(int=R.getrandbits(128), version=4)), "ts": lambda l="us": ts(), "date": lambda l="us": str(fromdate("-3y", "+1y")),
    "bool": lambda l="us": R.choice(["true", "false"]), "int": lambda l="us": str(R.randint(0, 500)), "price": lambda l="us": f"{R.uniform(1, 999):.2f}", "pct": lambda l="us": f"0.{digits(3)}", "status": lambda l="us": R.choice(["active", "pending", "closed", "archived"]),
    "product": lambda l="us": R.choice(PRODUCTS), "sku": lambda l="us": "SKU-" + digits(6), "slug": lambda l="us": F["us"].slug(), "color": lambda l="us": R.choice(["red", "blue", "green", "black", "white"]), "colorname": lambda l="us": R.choice(["Amber", "Olive", "Rose", "Violet", "Navy", "Teal", "Coral", "Ivory"]),
    "md5": lambda l="us": hashlib.md5(digits(9).encode()).hexdigest(), "sha": lambda l="us": hashlib.sha256(digits(9).encode()).hexdigest(), "file": lambda l="us": F["us"].file_name(), "path": lambda l="us": "/var/data/" + F["us"].file_name(), "mime": lambda l="us": F["us"].mime_type(),
    "version": lambda l="us": f"{R.randint(0,9)}.{R.randint(0,20)}.{R.randint(0,9)}", "model": lambda l="us": R.choice(["iPhone 12", "Galaxy S21", "Pixel 6", "Moto G"]), "currency": lambda l="us": R.choice(["EUR", "USD", "GBP", "BRL"]), "lang": lambda l="us": R.choice(["en", "de", "fr", "pt"]),
    "tz": lambda l="us": R.choice(["Europe/Berlin", "UTC", "America/New_York"]), "hex": lambda l="us": "0x%012x" % R.getrandbits(48), "wallet": lambda l="us": "0x%040x" % R.getrandbits(160), "host": lambda l="us": f"node{R.randint(1,40)}.internal.example", "word": lambda l="us": F["us"].word(), "role": lambda l="us": R.choice(["admin", "editor", "viewer", "billing"]),
    "team": lambda l="us": R.choice(["Platform", "Growth", "Support", "Data", "Finance"]), "countryname": lambda l="us": F["us"].country(), "ordno": lambda l="us": f"ORD-{R.randint(2020,2026)}-{digits(6)}", "invno": lambda l="us": f"RE{digits(8)}", "ean": lambda l="us": F["us"].ean13(), "json": lambda l="us": json.dumps({"theme": R.choice(["dark", "light"]), "page_size": R.randint(10, 100)}),
    "cron": lambda l="us": "30 2 * * *", "template": lambda l="us": R.choice(["welcome", "reset", "invoice", "digest", "trial-ending"]), "subject": lambda l="us": R.choice(["Welcome aboard", "Your invoice", "Reset link", "Weekly digest", "We miss you"]), "desc": lambda l="us": R.choice(["Soft cotton, machine washable, regular fit.", "Made of solid oak, oiled by hand in our workshop.", "Ships in two parcels, assembly needed."]), "errmsg": lambda l="us": R.choice(["timeout after 30 s", "connection refused", "invalid checksum"]),
    "weight": lambda l="us": f"{R.uniform(0.1, 30):.3f}", "kind": lambda l="us": R.choice(["A", "B", "C"]), "iptext": lambda l="us": "10.0.0.0/8", "port": lambda l="us": str(R.choice([80, 443, 5432, 8080])), "qty": lambda l="us": str(R.randint(1, 12)), "tracking": lambda l="us": "1Z" + "".join(R.choice(string.ascii_uppercase + string.digits) for _ in range(16)), "room": lambda l="us": R.choice(["A101", "B204", "C310"]), "drug": lambda l="us": R.choice(["Ibuprofen", "Amoxicillin", "Metformin", "Aspirin"]), "ward": lambda l="us": R.choice(["Cardiology", "Ward 3", "ICU", "Pediatrics"]), "temp": lambda l="us": f"{R.uniform(35.5, 40):.1f}", "brand": lambda l="us": R.choice(["Acme", "Globex", "Initech", "Umbra"]), "epoch": lambda l="us": str(1600000000 + int(digits(8))),
    "jsonp": lambda l="us": json.dumps({"contact": {"email": email(l), "phone": phone(l)}, "theme": "dark"}),
}
def imei():
    body = "35" + digits(12)
    total = sum(int(c) if i % 2 == 0 else sum(divmod(int(c) * 2, 10)) for i, c in enumerate(body))
    return body + str((10 - total % 10) % 10)

exec(pathlib.Path(__file__).with_name("corpus_schemas.py").read_text())

def write(name, schemas):
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/corpus") / f"{name}.jsonl"
    count = 0
    with out.open("w") as file:
        for schema, (locale, text) in schemas.items():
            for line in text.strip().splitlines():
                table, columns = line.strip().split(": ", 1)
                for column in columns.split("; "):
                    name, takes, label, gen = column.split()
                    gen, _, l = gen.partition("@")
                    values = []
                    for _ in range(200):
                        value = G[gen](l or locale)
                        if value not in values: values.append(value)
                        if len(values) == 20: break
                    file.write(json.dumps({"schema": schema, "table": table, "column": name, "type": takes, "label": "none" if label == "-" else label, "values": values}, ensure_ascii=False) + "\n")
                    count += 1
    print(out, count)
write("dev", DEV)
write("held", HELD)
