//! Numbers as people and programs write them: telephones, cards, identifiers, addresses of machines, and what only looks like
//! them.

use super::tests::{mask_at, masked, plain};

#[test]
fn identifiers_are_found_where_they_are_unmistakable() {
    for (text, want) in [
        ("IBAN DE89 3704 0044 0532 0130 00, thanks", "IBAN <id>, thanks"),
        ("to gb82west12345698765432.", "to <id>."),
        ("(NL91ABNA0417164300)", "(<id>)"),
        ("IBAN DE89 3704 0044\n0532 0130 00, DE89\t3704\t0044\t0532\t0130\t00", "IBAN <id>, <id>"),
        ("from DE89-3704-0044-0532-0130-00 to AT61 1904 3002 3457 3201", "from <id> to <id>"),
        ("DE 12 5001 0517 0648 4898 90, GB 82WEST12345698765432", "<id>, <id>"),
        ("no 12 boxes", "no 12 boxes"),
        ("FR14\u{202f}2004\u{202f}1010\u{202f}0505\u{202f}0001\u{202f}3M02\u{202f}606", "<id>"),
        (
            "DE89\u{2011}3704\u{2011}0044\u{2011}0532\u{2011}0130\u{2011}00 or DE89  3704  0044  0532  0130  00",
            "<id> or <id>",
        ),
        ("NL92ABNA0417164300 has a typo", "NL92ABNA0417164300 has a typo"),
        ("CPF 390.533.447-05, CNPJ 16.727.230/0001-97", "CPF <id>, CNPJ <id>"),
        ("NRN 85.07.30-033.28 / AHV 756.9217.0769.85", "NRN <id> / AHV <id>"),
        ("DNI 54362315K, NIE X-2482300W", "DNI <id>, NIE <id>"),
        ("54.362.315-K, 54.362.315K", "<id>, <id>"),
        ("BSN 111.222.333 of 111 222 333", "BSN <id> of 111 222 333"),
        ("CF RCCMNL83S18D969H", "CF <id>"),
        ("hetu 131052-308T and 131052A308T", "hetu <id> and <id>"),
        ("born 151086 95088", "born <id>"),
        ("NI number AB 12 34 56 C", "NI number <id>"),
        ("ID 11010519491231002X", "ID <id>"),
        ("2 95 10 99 126 111 93", "<id>"),
        ("BSN: 111222333", "BSN: <id>"),
        ("BSNs: 111222333, 123456782 and 111222333", "BSNs: <id>, <id> and <id>"),
        ("BSN 111222333 (part 123456782)", "BSN <id> (part 123456782)"),
        ("the NHS number is 943 476 5870", "the NHS number is <id>"),
        ("PESEL 44051401359", "PESEL <id>"),
        // Nothing says that these are identifiers, or they are not valid.
        ("part 111222333", "part 111222333"),
        ("BSN 111222334", "BSN 111222334"),
        ("version 390.533.447-06", "version 390.533.447-06"),
        ("XRCCMNL83S18D969H", "XRCCMNL83S18D969H"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

#[test]
fn phones_are_found_in_the_usual_layouts() {
    for text in [
        "+1-212-555-0100",
        "+1 (212) 555-0100",
        "(212) 555-0100",
        "212-555-0100",
        "212.555.0100",
        "212 555 0100",
        "1-800-555-0100",
        "2125550100",
        "12125550100",
        "+12125550100",
        "+44 20 7946 0958",
        "+44 (0)20 7946 0958",
        "(+44) 20 79460958",
        "0044 20 7946 0958",
        "00 44 20 7946 0018",
        "00 49 171 2345678",
        "011 49 30 12345678",
        "011-44-20-7946-0018",
        "020 7946 0958",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "0171-1234567",
        "0171/1234567",
        "(0171) 1234567",
        "01711234567",
        "+49 171 1234567",
        "+33 6 12 34 56 78",
        "447911123456",
        "601-234-567",
        "+1\u{a0}212\u{a0}555\u{2011}0100",
        "(555) 1234567",
        "004915112345678",
    ] {
        assert_eq!(plain(text), "<phone>", "{text}");
        assert_eq!(plain(&format!("Reach me ({text}), or not")), "Reach me (<phone>), or not", "{text}");
        assert_eq!(plain(&format!("a: {text}.")), "a: <phone>.", "{text}");
    }
    assert_eq!(plain("tel 555-0100, fax: 55 51 23 45"), "tel <phone>, fax: <phone>");
    assert_eq!(plain("212-555-0100 on 2024-01-31 at 10:30"), "<phone> on 2024-01-31 at 10:30");
    assert_eq!(plain("+1 212 555 0100 2024-01-31"), "<phone> 2024-01-31");
    assert_eq!(plain("212-555-0100 212-555-0101"), "<phone> <phone>");
}

/// In lines of logs and in notes: what is short would complete the number to the longest there are.
#[test]
fn what_stands_behind_a_number_is_no_part_of_it() {
    for number in [
        "+4915112345671",
        "+49 151 12345671",
        "004915112345671",
        "0049 151 12345671",
        "+43 660 1234567",
        "+390612345678",
        "+46 70 123 45 67",
        "+358 40 1234567",
        "+972 50 123 4567",
        "+62 812 3456 7890",
        "+234 803 123 4567",
        "+1 212 867 5309",
        "030 901820",
        "0171 1234567",
    ] {
        for separator in [" ", " - ", "-", "/"] {
            for (behind, want) in [("81.2.69.142", "<ip>"), ("8.8.8.8", "<ip>"), ("12:30", "12:30")] {
                if want == "<ip>" || separator.starts_with(' ') {
                    let text = |number: &str, behind: &str| format!("login {number}{separator}{behind} ok");
                    assert_eq!(plain(&text(number, behind)), text("<phone>", want), "{number}{separator}{behind}");
                }
            }
        }
        // Six digits and an area may be a part of a number yet.
        for behind in ["12.50 EUR", "1.234,50 EUR", "12,50", "30/11", "3 boxes", "8h", "550e8400"] {
            let text = |number: &str| format!("login {number} {behind} ok");
            if number != "030 901820" {
                assert_eq!(plain(&text(number)), text("<phone>"), "{number} {behind}");
            }
        }
    }
    assert_eq!(plain("+4915112345671 200 OK, tel 555-0100 18:00"), "<phone> 200 OK, tel <phone> 18:00");
    assert_eq!(mask_at(Some("ID"), &[], None, "812 3456 789 8.8.8.8"), "<phone> <ip>");
    for number in [
        "+43 660 1234567",
        "+43 1 588 5801",
        "+39 06 1234567",
        "+352 621 123 456",
        "+358 40 123 4567",
        "+62 21 1234567",
        "+63 917 123 4567",
        "+84 91 234 5678",
    ] {
        for behind in ["5€", "(2)", "2. Stock", "8-16 Uhr", "12h", "20 min"] {
            assert_eq!(plain(&format!("{number} {behind}")), format!("<phone> {behind}"), "{number} {behind}");
        }
    }
    assert_eq!(plain("+43 660 1234567 078-05-1120"), "<phone> <ssn>");
    assert_eq!(plain("+39 06 1234567 4111 1111 1111 1111"), "<phone> <card>");
    // Numbers in short groups are whole, and so are extensions.
    for text in [
        "+33 6 12 34 56 78 rang",
        "+33 6 12.34.56.78 rang",
        "+45 12.34.56.78 rang",
        "+41 44 668 18 00 rang",
        "+49 89 12345678-123 rang",
        "+49 89 1234-5678 901 rang",
        "+43 1 58858-1234 56 rang",
        "+358 40 123 45 67 rang",
        "+49 30 90 18 20 rang",
        "06 12 34 56 78 rang",
    ] {
        assert_eq!(plain(text), "<phone> rang", "{text}");
    }
}

/// One in ten of them has a check digit that holds for a card.
#[test]
fn a_plus_makes_a_phone_of_what_is_no_card_by_its_blocks() {
    for number in ["+4915112345678", "+5511902447102", "+6281261398994", "+639177159188"] {
        assert_eq!(plain(&format!("call {number}, or not")), "call <phone>, or not", "{number}");
    }
    for (text, want) in [
        ("+4111 1111 1111 1111", "+<card>"),
        ("+4111111111111111", "+<card>"),
        ("q=visa+378282246310005", "q=visa+<card>"),
        ("+10.1.2.3", "+<ip>"),
        ("+078-05-1120", "+<ssn>"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

#[test]
fn national_numbers_are_found_where_the_region_is_known() {
    for (region, text) in [
        ("ES", "612 345 678"),
        ("ES", "612345678"),
        ("IT", "333 1234567"),
        ("RU", "8 (495) 123-45-67"),
        ("RU", "123-45-67"),
        ("BR", "(11) 91234-5678"),
        ("BR", "91234-5678"),
        ("IN", "98765 43210"),
        ("CN", "138 0013 8000"),
        ("PL", "600 123 456"),
        ("PL", "600\u{2009}123\u{2009}456"),
        ("DK", "12 34 56 78"),
        ("NO", "912 34 567"),
        ("SG", "9123 4567"),
        ("SG", "9123\u{202f}4567"),
        ("US", "555-0100"),
    ] {
        let at = |region: Option<&str>, text: &str| mask_at(region, &[], None, text);
        assert_eq!(at(Some(region), &format!("Reach me: {text}, or not")), "Reach me: <phone>, or not", "{text}");
        assert_eq!(at(Some(region), &format!("({text}).")), "(<phone>).", "{text}");
        // The twin: nowhere in particular they are numbers.
        assert_ne!(at(None, text), "<phone>", "{text}");
    }
    for (region, text) in [
        ("DK", "31.01.2024 12:30, 2024-01-31, 20240131 and 31012024"),
        ("SG", "2020-2021, 9123.4567"),
        ("BR", "the years 2019-2024"),
        ("US", "555 0100 and pages 100-200"),
        ("ES", "#612345678, SKU-612 345 678, $612 345 678"),
        ("ES", "312 345 678"),
        ("DE", "612 345 678"),
    ] {
        assert_eq!(mask_at(Some(region), &[], None, text), text, "{region}");
    }
}

#[test]
fn words_for_telephones_are_known_in_more_languages() {
    for word in [
        "tel.",
        "Телефон:",
        "тел.",
        "ТЕЛ",
        "Móvil",
        "MÓVIL:",
        "movil",
        "Celular",
        "puh.",
        "portable",
        "gsm",
        "Handy",
        "komórka",
    ] {
        assert_eq!(plain(&format!("{word} 612 34 56")), format!("{word} <phone>"));
    }
    assert_eq!(plain("стол 612 34 56"), "стол 612 34 56");
}

#[test]
fn numbers_are_found_as_people_really_write_them() {
    for (text, want) in [
        ("0049301234567 030/1234567", "<phone> <phone>"),
        ("415 5550132", "<phone>"),
        ("EAN 4155550132123, 4006381333931", "EAN <phone>, <phone>"),
        ("rooms 601-234-567, 101-102-103", "rooms <phone>, <phone>"),
        ("4155550132x99", "<phone>x99"),
        ("212-555-0100/0101", "<phone>/<phone>"),
        ("4111.1111.1111.1111", "<card>"),
        ("4111  1111  1111  1111", "<card>"),
        ("4111_1111_1111_1111", "<card>"),
        ("4111 1111\n1111 1111", "<card>"),
        ("4111-1111 1111-1111", "<card>"),
        ("4111/1111/1111/1111", "<card>"),
        ("4111\u{2009}1111\u{2009}1111\u{2009}1111", "<card>"),
        ("4111&nbsp;1111&nbsp;1111&nbsp;1111", "<card>"),
        ("4111-1111 1111-1112", "4111-1111 1111-1112"),
        ("4111\n1111\n1111\n1111", "<card>"),
        ("order4111111111111111", "order<card>"),
        ("4111111111111111x", "<card>x"),
        ("0.4111111111111111", "0.4111111111111111"),
        ("212\n555\n0100", "212\n555\n0100"),
        ("bob\u{ff20}example.com", "<email>"),
        ("bob\u{200b}@example.com", "<email>"),
        ("bo\u{ad}b@example.com", "<email>"),
    ] {
        assert_eq!(plain(text), want, "{text:?}");
    }
}

#[test]
fn numbers_with_entities_and_escapes_are_found() {
    for (text, want) in [
        ("Tel +49 151=\n12345678 or +49=20151=2012345678", "Tel <phone> or <phone>"),
        ("SSN&nbsp;078&#8209;05&#8209;1120", "SSN&nbsp;<ssn>"),
        (r#"{"a":"x\n+49&nbsp;151&nbsp;12345678"}"#, r#"{"a":"x\n<phone>"}"#),
        // A mask in a URL that is not as long as its number is encoded as a whole.
        ("?ip=81%2E2%2E69%2E142&b=1", "?ip=%3Cip%3E&b=1"),
        ("?ip=2a02%3A8108%3A1%3A2%3A%3A1&b=1", "?ip=%3Cip%3E&b=1"),
        ("?tel=%202125550100%20", "?tel=%20<phone>%20"),
        ("https://x.io/?u=bob%2540acme.io&a=1", "https://x.io/?u=<email>&a=1"),
        ("a LIKE '%201-234-5678%'", "a LIKE '%<phone>%'"),
        // Values that begin as escapes do.
        ("tel=2012345678, phone1=2712345678", "tel=<phone>, phone1=<phone>"),
        // A plus is a blank only in the field of a form that has a plus.
        ("<a href=\"tel:%2B4915112345671\">+49&nbsp;151&nbsp;12345678</a>", "<a href=\"tel:%3Cphone%3E\"><phone></a>"),
        ("%2B4915112345671;+49&nbsp;151&nbsp;12345678", "%3Cphone%3E;<phone>"),
        ("q=%2B49151+12345678&a=+49&nbsp;151&nbsp;12345678", "q=%3Cphone%3E&a=<phone>"),
        ("a=b%2Bc&tel=%2B12128675309", "a=b%2Bc&tel=%3Cphone%3E"),
        ("IBAN=20DE12=205001=200517=200648=204898=2090 =\n", "IBAN=20<id> =\n"),
        ("=?utf-8?Q?Karte=204111=201111=201111=201111?=", "=?utf-8?Q?Karte=20<card>?="),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
    for text in [
        "ts=20240131123456&b=%20",
        "date=20240131&date2=20240131",
        "a=2078-05-1120",
        "x=%2012345678",
        "%20%2D%3A&nbsp;",
        // In base64, and sums.
        "token=abc%2B49151123%3D",
        "Signature=vj%2Fbyp%2B12128675309xyz%3D",
        "f(x)=x%2B1212867, C%2B%2B+212+867+5309",
        // Nothing says that these are quoted-printable.
        "IBAN: DE12=205001=200517=200648=204898=2090",
        "Karte=204111=201111=201111=201111",
    ] {
        assert_eq!(plain(text), text);
    }
}

#[test]
fn dates_amounts_and_tickets_are_no_phones() {
    for text in [
        "version 1.2.3.4, v1.2.3.4 and ver. 1.2.3.4",
        "EAN 4006381333931, ISBN: 9783161484100",
        "rooms 101-102-103",
        "Ticket #1234567: on 2024-01-31 10:30:00",
        "Ticket #2345678901 is closed",
        "31.01.2024 12:30",
        "1/31/24 and 12/31/2024",
        "paid 1,234,567.89 and $2345678901",
        "3.14159265358979",
        "0.123456789012",
        "v1.2.3 build 20240131",
        "at 1700000000 or 1700000000123",
        "SKU A2345678901",
        "550e8400-e29b-41d4-a716-446655440000",
        "INV-2024-2345678901",
        "612 345 678 units",
        "2024-01-31T10:30:00.123456Z",
        "pages 100-200",
        "10:30:45",
        "order 48213, line 3",
        "std::vector a::b",
        "100 000 0000 rows",
        "1.3.6.1.4.1.311",
    ] {
        assert_eq!(plain(text), text);
    }
}

#[test]
fn versions_and_books_are_no_addresses_and_phones() {
    for text in [
        "Chrome/119.0.0.0 Safari/537.36 Edg/119.0.0.0",
        "(OPR/105.0.0.0)",
        "foo-1.2.3.4.jar, libfoo.so.1.2.3.4, app 1.2.3.4-SNAPSHOT",
        "nginx/1.25.3.1, Node/18.0.0.0, version 1.2.3.4, v1.2.3.4",
        "ua=Mozilla/5.0%20(X11)%20Chrome/119.0.0.0&b=Chrome%2F119.0.0.0",
        "version%3D1%2E2%2E3%2E4, ?a=%20version%3d1.2.3.4",
        "ISBN-13: 9783161484100, ISBN-10: 0306406152, ISBN 0306406152",
        "GTIN-13: 4006381333931",
    ] {
        assert_eq!(plain(text), text);
    }
    for (text, want) in [
        ("Chrome/119.0.0.0:80, version 1.2.3.4/24", "Chrome/<ip>:80, version <ip>/24"),
        ("client/81.2.69.142, Host/81.2.69.142", "client/<ip>, Host/<ip>"),
        ("worker/81.2.69.142, dn1.acme.io/81.2.69.142", "worker/<ip>, dn1.acme.io/<ip>"),
        ("GET /Block/81.2.69.142, http://81.2.69.142/", "GET /Block/<ip>, http://<ip>/"),
        ("dhcp release 81.2.69.142, lease release 81.2.69.142", "dhcp release <ip>, lease release <ip>"),
        ("build 81.2.69.142 failed, blocked by firmware 81.2.69.142", "build <ip> failed, blocked by firmware <ip>"),
        ("Release=81.2.69.142", "Release=<ip>"),
        ("SIP/81.2.69.142-00000001, TCP/81.2.69.142", "SIP/<ip>-00000001, TCP/<ip>"),
        ("KATHARINA-PC/81.2.69.142, edge/81.2.69.142", "KATHARINA-PC/<ip>, edge/<ip>"),
        ("Customer/81.2.69.142, Session/8.0.0.0", "Customer/<ip>, Session/<ip>"),
        ("SIP%2F81.2.69.142, ?ip=%2081.2.69.142&host%3D81.2.69.142", "SIP%2F<ip>, ?ip=%20<ip>&host%3D<ip>"),
        ("ISBN 0306406153", "ISBN <phone>"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

#[test]
fn cards_and_social_security_numbers_are_found() {
    for (text, want) in [
        ("card 4111111111111111.", "card <card>."),
        ("4111 1111 1111 1111", "<card>"),
        ("4111-1111-1111-1111 exp 12/26", "<card> exp 12/26"),
        ("3782 822463 10005", "<card>"),
        ("4111 1111 1111 1112", "<card>"),
        ("4111111111111112", "4111111111111112"),
        ("SSN given 078-05-1120.", "SSN given <ssn>."),
        ("SSN078-05-1120", "SSN<ssn>"),
        ("078 05 1120", "<ssn>"),
        ("900 05 1120", "900 05 1120"),
        ("900-05-1120", "<ssn>"),
        ("ssn: 078051120, id 078051120", "ssn: <ssn>, id <ssn>"),
        ("SS# 078051120, SS#078051120", "SS# <ssn>, SS#<ssn>"),
        ("Social: 078051120", "Social: <ssn>"),
        ("mine is 078-05-1120?", "mine is <ssn>?"),
        ("SSNs 078051120, 219099998 and 219099997", "SSNs <ssn>, <ssn> and <ssn>"),
        ("SSN 078051120 of order 219099998", "SSN <ssn> of order 219099998"),
        ("social security no. 078051120", "social security no. <ssn>"),
        ("my SSN is 219099999", "my SSN is <ssn>"),
        ("id 123456789", "id 123456789"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

#[test]
fn addresses_of_machines_are_found() {
    for (text, want) in [
        ("from 10.1.2.3, 8.8.8.8:53", "from <ip>, <ip>:53"),
        ("net 10.0.0.0/8", "net <ip>/8"),
        ("server 1.2.3.4, dev 1.2.3.4", "server <ip>, dev <ip>"),
        ("[2001:db8::1]:443", "[<ip>]:443"),
        ("fe80::1 and ::ffff:1.2.3.4.", "<ip> and <ip>."),
        ("ip: 2001:db8:0:0:0:0:0:1", "ip: <ip>"),
        ("256.1.1.1 and 1.2.3.4.5", "256.1.1.1 and 1.2.3.4.5"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

#[test]
fn copies_of_a_found_number_go_with_it() {
    assert_eq!(plain("call 2125550100, see #2125550100"), "call <phone>, see #<phone>");
}

/// What is dialed at home only, and groups of two digits, leave no half of a number.
#[test]
fn numbers_are_taken_to_their_last_group() {
    for text in [
        "+49 (0) 171 88 34 021",
        "+49 (0)171 88 34 021",
        "0049 (0) 171 88 34 021",
        "+49 (0171) 88 34 021",
        "+49 (0) 171 - 88 34 021",
        "+49 (0) 30 231 25 084",
        "+49 0171 88 34 021",
        "+49 171 883 40 021",
        "+44 0207 946 0958",
        "+49 (0) 171 883 40 21",
    ] {
        assert_eq!(plain(&format!("{text}.")), "<phone>.", "{text}");
        assert_eq!(plain(&format!("{text} 030/1234567.")), "<phone> <phone>.", "{text}");
    }
    for (text, want) in [
        ("Tel 44 7700 900123, or", "Tel <phone>, or"),
        ("tel 555-0100 555-0101", "tel <phone> <phone>"),
        ("tel 12 34 56 78 12 34 56 79, tel 33 12 34 56 78 90", "tel <phone> <phone>, tel <phone>"),
        ("tel 5550100 on 2024-01-31, 555-0100 18:00", "tel <phone> on 2024-01-31, 555-0100 18:00"),
        ("0049301234567 030/1234567", "<phone> <phone>"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
    let number = "+49 (0) 171 88 34 021";
    assert_eq!(masked("text.spans", &format!("Tel {number}")), format!("Tel {}", masked("phone", number)));
}

/// Without a blank as well; it is a part of a number in amounts and decimals.
#[test]
fn a_comma_parts_fields() {
    for (text, want) in [
        ("44051401359,x", "<phone>,x"),
        ("x,01718834021", "x,<phone>"),
        ("01718834021,01728834021;", "<phone>,<phone>;"),
        ("[44051401359,44051401359]", "[<phone>,<phone>]"),
        ("{01718834021,x}", "{<phone>,x}"),
        ("5,2125550147,6", "5,<phone>,6"),
        ("x,5,2125550147", "x,5,<phone>"),
        ("Lindqvist,01718834021,2024-01-01", "Lindqvist,<phone>,2024-01-01"),
        ("8112189876,x", "<phone>,x"),
        ("pesel,x\n44051401359,x", "pesel,x\n<id>,x"),
        ("7,4539578763621486,5", "7,<card>,5"),
        // Ids that end in 0, and a field that is 0.
        ("10,4539578763621486", "10,<card>"),
        ("0,4539578763621486,5", "0,<card>,5"),
        ("7,4539578763621486", "7,<card>"),
        ("4539578763621486,4111111111111111", "<card>,<card>"),
        ("0049171 8834021,x", "<phone>,x"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
    assert_eq!(mask_at(Some("DK"), &[], None, "7,20123456,x and 20123456,5"), "7,<phone>,x and <phone>,5");
    for text in [
        "12,345,678,901",
        "0,4111111111111111",
        "0,2125550147 m",
        "3,14159265358979",
        "1,234,567.89",
        "x,4711,20240305",
        "Summe 16655939607,79; 51501,32580388279",
        "2,7182818284",
        "val_loss 0.0056897 0.8240852, 51.0057575 0.0014077",
    ] {
        assert_eq!(plain(text), text);
    }
    for (region, number) in
        [("DK", "20 12 34 56"), ("ES", "612 199 619"), ("PL", "512 345 678"), ("IT", "333 1234567"), ("US", "867-5309")]
    {
        assert_eq!(mask_at(Some(region), &[], None, &format!("{number},42")), "<phone>,42", "{region}");
    }
    assert_eq!(mask_at(Some("DK"), &[], None, "20123456,50 kr, 20.123.456,50"), "20123456,50 kr, 20.123.456,50");
}

/// Its length and check digits tell where it begins and ends.
#[test]
fn accounts_are_found_glued_to_words_and_in_any_groups() {
    for (text, want) in [
        ("IBANDE89370400440532013000", "IBAN<id>"),
        ("DE89370400440532013000BIC: COBADEFF", "<id>BIC: COBADEFF"),
        ("DE89370400440532013000und BIC", "<id>und BIC"),
        ("NL91ABNA0417164300EUR 50", "<id>EUR 50"),
        ("IBAN_DE89370400440532013000", "IBAN_<id>"),
        ("sepa_DE89370400440532013000.pdf", "sepa_<id>.pdf"),
        ("DE89370400440532013000-2024.pdf", "<id>-2024.pdf"),
        ("DE89370400440532013000NL91ABNA0417164300", "<id><id>"),
        ("DE89370400440532013000DE89370400440532013000", "<id><id>"),
        ("IBANDE89 3704 0044 0532 0130 00", "IBAN<id>"),
        ("DE89_3704_0044_0532_0130_00", "<id>"),
        ("DE89/3704/0044/0532/0130/00", "<id>"),
        ("DE89 – 3704 – 0044 – 0532 – 0130 – 00", "<id>"),
        ("> DE89 3704 0044\n> 0532 0130 00", "> <id>"),
        ("> 4539 5787\n> 6362 1486", "> <card>"),
        (
            "sepa_DE88370400440532013000.pdf, xDE893704004405320130001",
            "sepa_DE88370400440532013000.pdf, xDE893704004405320130001",
        ),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
    for number in ["DE89 3704 0044 0532 0130 00", "DE89_3704_0044_0532_0130_00", "DE89 3704 0044\n> 0532 0130 00"] {
        assert_eq!(masked("text.spans", &format!("IBAN{number}BIC")), format!("IBAN{}BIC", masked("iban", number)));
    }
}

#[test]
fn phones_are_found_in_layouts_of_their_own() {
    for (text, want) in [
        ("0049171 8834021", "<phone>"),
        ("0049171-8834021", "<phone>"),
        ("0049171/8834021", "<phone>"),
        ("0044207 9460765", "<phone>"),
        ("+ 49 171 8834021", "<phone>"),
        ("Tel. (+ 49) 171 8834021", "Tel. <phone>"),
        ("+ 1 212 555 0147", "<phone>"),
        ("+49 171\n8834021", "<phone>"),
        ("+49 171\t8834021", "<phone>"),
        ("> +49 171\n> 8834021", "> <phone>"),
        ("phone #2125550147", "phone #<phone>"),
        ("cell #2125550147, call #12125550147", "cell #<phone>, call #<phone>"),
        ("#01718834021", "#<phone>"),
        ("01718834021Mobil", "<phone>Mobil"),
        ("Handy01718834021", "Handy<phone>"),
        ("_01718834021_", "_<phone>_"),
        ("nr_01718834021", "nr_<phone>"),
        ("rec-01718834021-20240305.wav", "rec-<phone>-20240305.wav"),
        ("wa.me/491718834021", "wa.me/<phone>"),
        ("http://x.example.com/01718834021", "http://x.example.com/<phone>"),
        ("+4915112345671\n20240131, +49 151 12345671\n4711", "<phone>\n20240131, <phone>\n4711"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
    for text in [
        "0012345 6789012",
        "5 + 49 171 8834021",
        "Ticket #2345678901, mobile ticket #2345678901, call #4711",
        "#0012345678",
        "550e8400-e29b-41d4-a716-044665544000",
        "01718834021abc, 01718834021a7Mobil",
        "0.01718834021, 1.01718834021.2",
        "+49 171\n2024-01-31",
        "+49 171\n-8834021",
        "PO-0366015998, order_01718834021.pdf, Ticket #01718834021",
        "call #4711234, $01718834021, 01718834021€, 01718834021%",
    ] {
        assert_eq!(plain(text), text);
    }
}

/// In names of files and paths, beside signs, and glued to the word that names them.
#[test]
fn identifiers_are_found_beside_signs_and_glued_to_words() {
    for (text, want) in [
        ("PESEL44051401359", "PESEL<id>"),
        ("pesel_44051401359.pdf", "pesel_<id>.pdf"),
        ("scan-44051401359.pdf", "scan-<id>.pdf"),
        ("52998224725.pdf", "<id>.pdf"),
        ("/home/44051401359/", "/home/<id>/"),
        ("http://x.example.com/p/44051401359", "http://x.example.com/p/<id>"),
        ("44051401359/2024", "<id>/2024"),
        ("44051401359-Lind", "<id>-Lind"),
        ("Nr.44051401359", "Nr.<id>"),
        ("#44051401359", "#<id>"),
        ("44051401359€", "<id>€"),
        ("bsn_111222333.pdf, NHS9434765870", "bsn_<id>.pdf, NHS<id>"),
        ("SSN078051120, ssn_078051120.pdf", "SSN<ssn>, ssn_<ssn>.pdf"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
    // Not valid, part of something else, or of kinds of which every tenth number is one.
    for text in [
        "scan-44051401358.pdf",
        "0.44051401359",
        "x44051401359y",
        "/p/44051401359x",
        "a-111222333.pdf",
        "/orders/9434765870",
        "doc-47112345671.pdf",
    ] {
        assert_eq!(plain(text), text);
    }
}

#[test]
fn what_stands_beside_a_number_is_masked_apart() {
    assert_eq!(plain("+49 171 8834021/22, +49/171/8834021"), "<phone>/<phone>, <phone>");
    for (region, number) in [("PT", "912345678"), ("DK", "20123456"), ("NO", "91234567")] {
        let text = |number: &str| format!("{number}\n{number}");
        assert_eq!(mask_at(Some(region), &[], None, &text(number)), text("<phone>"), "{region}");
    }
    let number = "+49 171 8834021";
    assert!(masked("text.spans", &format!("{number}/22")).starts_with(&format!("{}/", masked("phone", number))));
    let number = "+49 0171 8834021";
    assert_eq!(masked("text.spans", number), masked("phone", number));
    for sign in ["\u{ff20}", "\u{fe6b}"] {
        let text = format!("to ann.miller{sign}web.de");
        assert_eq!(masked("text.spans", &text), format!("to {}", masked("email", "ann.miller@web.de")));
    }
}

#[test]
fn numbers_of_things_stay_where_a_word_says_so() {
    for text in [
        "PO 4500012345, order 4711234567, Order no. 4711234567, order_id=4711234567",
        "SKU 4006381333931, Bestellung Nr. 4711234567, Rechnungsnr. 47112345671",
        "Vorgang 2024123456, case no. 2024123456, commande n° 4711234567, Zamówienie nr 471123456789",
        "at 20240305123000, 20240305123003 and 20240305123008",
    ] {
        assert_eq!(plain(text), text);
    }
    // No word, one that says less, a strong form, or what is dialed.
    for (text, want) in [
        ("4711234567, id=4711234567", "<phone>, id=<phone>"),
        ("in case 2125550147, reorder 2125550147", "in case <phone>, reorder <phone>"),
        ("order 4111111111111111, PO DE89370400440532013000", "order <card>, PO <id>"),
        (
            "order 01718834021, order +49 171 8834021, order tel 2125550147",
            "order <phone>, order <phone>, order tel <phone>",
        ),
        ("order PESEL 44051401359", "order PESEL <id>"),
        ("call 2125550147, order 2125550147", "call <phone>, order <phone>"),
        ("Firefox 10.0.12.34, Host OS 10.1.2.3 down", "Firefox <ip>, Host OS <ip> down"),
        (
            "Opera 203.0.113.77, Section 1.2.3.4: gateway, release 8.8.4.4",
            "Opera <ip>, Section <ip>: gateway, release <ip>",
        ),
        ("case no. 44051401359, patient order 85073003328", "case no. <id>, patient order <id>"),
        (
            "PO 52998224725, transaction id 8112189876, Bestellnummer: 44051401359",
            "PO <id>, transaction id <id>, Bestellnummer: <id>",
        ),
        ("Bestellnummer: 86095742719", "Bestellnummer: <id>"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

/// The card, the identifier, the number or the postal code behind a telephone number begins anew.
#[test]
fn numbers_end_before_what_stands_behind_them() {
    let number = "512 345 678";
    for gap in [" ", "  ", "\t", "\u{a0}", " - ", " / ", "-", "."] {
        for (what, found) in [
            ("4539 5787 6362 1486", "<card>"),
            ("4539-5787-6362-1486", "<card>"),
            ("536-90-4399", "<ssn>"),
            ("0170 1234567", "<phone>"),
        ] {
            if gap == "." && found == "<phone>" {
                continue;
            }
            let want = format!("Tel. <phone>{gap}{found}");
            assert_eq!(plain(&format!("Tel. {number}{gap}{what}")), want, "{gap:?} {what}");
        }
    }
    for (text, want) in [
        ("Tel 20 12 34 56 4539-5787-6362-1486", "Tel <phone> <card>"),
        ("Tel 612 34 56 78 536-90-4399", "Tel <phone> <ssn>"),
        ("Tel 20 12 34 56 / 0170 1234567", "Tel <phone> / <phone>"),
        ("+39 06 69576561-4539 5787 6362 1486", "<phone>-<card>"),
        ("tel 555-0100 90210", "tel <phone> 90210"),
        ("mobile 612 345 678 28001 Madrid", "mobile <phone> 28001 Madrid"),
        ("tel 20 12 34 56 4711", "tel <phone> 4711"),
        ("call 8675309 10115 Berlin", "call <phone> 10115 Berlin"),
        ("tel 12345678 2024", "tel <phone> 2024"),
        ("+39 06 69576561 4711", "<phone> 4711"),
        ("+49 170 1234567 007", "<phone> 007"),
        ("+49 30 123456 0815", "<phone> 0815"),
        ("tel 612 345 678 / 612 345 679", "tel <phone> / <phone>"),
        ("tel 1234 5678 4539 5787 6362 1486", "tel <phone> <card>"),
        ("01701234567/0170 7654321", "<phone>/<phone>"),
        ("0170 1234567/0171 7654321", "<phone>/<phone>"),
        ("01701234567/536-90-4399", "<phone>/<ssn>"),
        ("01701234567/4539 5787 6362 1486", "<phone>/<card>"),
        // The twins: what goes on, and an extension.
        ("tel 33 12 34 56 78 90", "tel <phone>"),
        ("+49 171 883 40 021", "<phone>"),
        ("+49 171 8834021/22", "<phone>/<phone>"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
    assert_eq!(mask_at(Some("DK"), &[], None, "Tel 20 12 34 56-4539 5787 6362 1486"), "Tel <phone>-<card>");
    assert_eq!(mask_at(Some("PL"), &[], None, "Tel 512 345 678-512 345 678"), "Tel <phone>-<phone>");
}
