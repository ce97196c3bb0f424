use super::names::Role;
use super::*;
use arrow_array::StringArray;
use proptest::prelude::*;

/// Writes its word in place of every value.
struct Word(&'static str);

impl ColumnMask for Word {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        map_texts(column, |value, row, out| self.text(value, row, rows, out))
    }
    fn text(&self, _: &str, _: usize, _: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        out.push_str(self.0);
        Ok(())
    }
}

const WORDS: [&str; 7] = ["<email>", "<card>", "<ssn>", "<phone>", "<ip>", "<user>", "<secret>"];

pub(super) fn mask(names: &[(Role, &str, &str)], chars_max: Option<u32>, text: &str) -> String {
    mask_at(None, names, chars_max, text)
}

fn mask_at(region: Option<&str>, names: &[(Role, &str, &str)], chars_max: Option<u32>, text: &str) -> String {
    let spans = Spans {
        masks: std::array::from_fn(|slot| {
            let word = WORDS.get(slot).copied().unwrap_or("<id>");
            Some(Box::new(Word(word)) as Box<dyn ColumnMask>)
        }),
        sources: names
            .iter()
            .enumerate()
            .map(|(index, (role, ..))| Source { index, role: *role, told: false, masked: true })
            .collect(),
        spare: Box::new(Word("<name>")),
        plan: region.and_then(regions::of),
        chars_max,
    };
    let raw: Vec<ArrayRef> =
        names.iter().map(|(_, raw, _)| Arc::new(StringViewArray::from(vec![*raw])) as ArrayRef).collect();
    let masked: Vec<Option<ArrayRef>> =
        names.iter().map(|(.., masked)| Some(Arc::new(StringArray::from(vec![*masked])) as ArrayRef)).collect();
    let rows = Rows { len: 1, subjects: &[], raw: &raw, masked: &masked, origin: None };
    let column: ArrayRef = Arc::new(StringViewArray::from(vec![text]));
    let done = spans.apply(&column, &rows).unwrap();
    done.as_any().downcast_ref::<StringArray>().unwrap().value(0).to_owned()
}

fn plain(text: &str) -> String {
    mask(&[], None, text)
}

const PERSON: &[(Role, &str, &str)] = &[(Role::First, "John", "Carlos"), (Role::Last, "Smith", "Ruiz")];

fn john(text: &str) -> String {
    mask(PERSON, None, text)
}

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
fn addresses_are_found_where_people_put_them() {
    for (text, want) in [
        ("write to bob@example.com.", "write to <email>."),
        ("<bob.o'brien+x@mail.example.co.uk>, 'a@b.de'", "<<email>>, '<email>'"),
        ("mailto:bob@x.com?subject=hi", "mailto:<email>?subject=hi"),
        ("email=bob@x.com&b=1", "email=<email>&b=1"),
        ("https://x.com/?email=bob%40example.com&a=1", "https://x.com/?email=<email>&a=1"),
        ("Zoë.müller@exämple.de—ja", "<email>—ja"),
        ("\"john smith\"@example.com", "<email>"),
        ("bob@[10.0.0.1]", "<email>"),
        ("root@dbhost", "<email>"),
        ("meet @ 5 or 10@50, @ , @", "meet @ 5 or 10@50, @ , @"),
        ("mail@2x.png, @types/node@18.0.0, redis@sha256:4f2a", "mail@2x.png, @types/node@18.0.0, redis@sha256:4f2a"),
        ("mail@2x.com, bob@10.0.0.1, redis@sha256", "<email>, <email>, <email>"),
        ("ab@x_y.de, ann_miller@my_company.com.", "<email>, <email>."),
        ("=?utf-8?Q?ann.miller=40web.de?=", "=?utf-8?Q?<email>?="),
        ("ann.miller=40web.de, and a line=\nthat goes on", "<email>, and a line=\nthat goes on"),
        ("{ann.miller}@web.de, ({user1}@web.de)", "<email>, (<email>)"),
        ("Hi!bob@web.de, user#bob@web.de", "Hi!<email>, user#<email>"),
        ("SRS0=aB3d=XY=web.de=ann.miller@fwd.acme.org", "SRS0=aB3d=XY=web.de=<email>"),
        ("a+b=c.de@web.de", "a+b=<email>"),
        // The twins: other things between such signs, and what only stands beside an address.
        ("width=40px; timeout=40ms. a=40.5", "width=40px; timeout=40ms. a=40.5"),
        ("k=40x.de, file=4021.pdf failed, page=4003.html", "k=40x.de, file=4021.pdf failed, page=4003.html"),
        ("see you @ work, or us @ acme.com, 2.5 @ x", "see you @ work, or us @ acme.com, 2.5 @ x"),
        ("self.w1 @ x.data, np.a @ np.bb", "self.w1 @ x.data, np.a @ np.bb"),
        ("icon@2x_dark.png, logo@2x_v2.png, x@y_z", "icon@2x_dark.png, logo@2x_v2.png, x@y_z"),
        ("function{a.b}@web.de, {name}@x.de", "function{a.b}@web.de, {name}@x.de"),
        ("from=ann.miller@web.de, bob@example.com_old", "from=<email>, <email>_old"),
        ("a.b+c=ann@web.de, ssh ${USER}@host", "a.b+c=<email>, ssh ${USER}@host"),
        ("https://x.test/a#bob@x.de", "https://x.test/a#<email>"),
        ("{\"a\":{}}@x.de {}@x.de", "{\"a\":{}}@x.de {}@x.de"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

#[test]
fn an_address_in_a_text_has_the_mask_it_has_in_a_column() {
    let realm = crate::mask::MasterKey::test().realm("default");
    let masked = |kind: &str, value: &str| {
        crate::mask::mask_value(&realm, kind, "", Params::new(), None, value).expect("a mask").expect("text")
    };
    for address in ["ann.miller@web.de", "ab@x_y.de", "{ab.c}@x.de"] {
        assert_eq!(
            masked("text.spans", &format!("to {address}, please")),
            format!("to {}, please", masked("email", address))
        );
    }
    let plain = masked("email", "ann.miller@web.de");
    assert_eq!(
        masked("text.spans", "=?utf-8?Q?ann.miller=40web.de?="),
        format!("=?utf-8?Q?{}?=", plain.replace('@', "=40"))
    );
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
fn names_are_found_in_other_spellings() {
    let german = &[(Role::First, "Jürgen", "Carlos"), (Role::Last, "Müller", "Ruiz")][..];
    for (text, want) in [
        ("Juergen Mueller", "Carlos Ruiz"),
        ("Jurgen MULLER", "Carlos RUIZ"),
        ("bei Müllers", "bei Ruizs"),
        ("Müller's car", "Ruiz's car"),
        ("jmueller schrieb", "jmueller schrieb"),
        ("jmuller@", "cruiz@"),
        ("jurgenmuller", "carlosruiz"),
    ] {
        assert_eq!(mask(german, None, text), want, "{text}");
    }
    assert_eq!(mask(&[(Role::Last, "Mueller", "Ruiz")], None, "Herr Müller"), "Herr Ruiz");
    assert_eq!(mask(&[(Role::Full, "Jürgen Müller", "Carlos Ruiz")], None, "Juergen, mueller"), "Carlos, ruiz");
    for text in [
        "M&uuml;ller",
        "M&#252;ller",
        "M=C3=BCller",
        "M%C3%BCller",
        "M\u{fc}l\u{ad}ler",
        "M\u{fc}l-\nler",
        "Ｍüｌｌｅｒ",
    ] {
        assert_eq!(mask(german, None, &format!("Jürgen {text}, a=b & 5 %")), "Carlos Ruiz, a=b & 5 %", "{text}");
    }
    let irish = &[(Role::Last, "O'Brien", "Ruiz")][..];
    for text in
        ["O Brien", "O&#39;Brien", "O&apos;Brien", "O%27Brien", "O=27Brien", "o\u{200b}’\u{200b}Brien", "OBrien"]
    {
        assert_eq!(mask(irish, None, &format!("Mr {text} called")).replace("ruiz", "Ruiz"), "Mr Ruiz called", "{text}");
    }
    assert_eq!(mask(irish, None, "Brien, O&#39;Brienne, M&uuml;ller"), "Brien, O&#39;Brienne, M&uuml;ller");
    assert_eq!(mask(&[(Role::First, "Anne-Marie", "Eva")], None, "AnneMarie, Anne Marie"), "Eva, Eva");
    assert_eq!(
        mask(&[(Role::Last, "Петров", "Ruiz")], None, "с Петровым и Петровой, Петроград"),
        "с Ruiz и Ruiz, Петроград"
    );
    assert_eq!(john("bobsmith johnsmith smithjohn jsmith Smithson"), "bobsmith carlosruiz ruizcarlos cruiz Smithson");
}

/// In all that is read as a document or a line of a log: `\n` is no letter of the word behind it.
#[test]
fn escapes_of_json_are_read_as_programs_read_them() {
    for (text, want) in [
        (
            r#"{"body":"Hello,\nJohn Smith:\r\nSmith\tJohn\njo@x.de"}"#,
            r#"{"body":"Hello,\nCarlos Ruiz:\r\nRuiz\tCarlos\n<email>"}"#,
        ),
        (
            r#"{\"body\":\"Hello,\\nJohn\\tjo@x.de\\u003cjo@x.de\\u003e\"}"#,
            r#"{\"body\":\"Hello,\\nCarlos\\t<email>\\u003c<email>\\u003e\"}"#,
        ),
        (r#"msg="\nnat@x.de\t+49 30 901820\n2125550100\n10.1.2.3""#, r#"msg="\n<email>\t<phone>\n<phone>\n<ip>""#),
        (r#"{"tel":"call\n555-0100","ssn":"SSN\n078051120"}"#, r#"{"tel":"call\n<phone>","ssn":"SSN\n<ssn>"}"#),
        (r"https:\/\/bob:pw@x.test\/users\/jo", r"https:\/\/<user>:<secret>@x.test\/users\/<user>"),
        (r"jo\u0040x.de, J\u006fhn, \u004aOHN, \ud83d\ude00John", r"<email>, Carlos, CARLOS, \ud83d\ude00Carlos"),
        (r#"\"jo@x.de\",\"@context\""#, r#"\"<email>\",\"@context\""#),
        (r"Jo\u00adhn\b\fJohn\'s", r"Carlos\b\fCarlos\'s"),
        (r"\ud800jo@x.de\ud83d", r"\ud800<email>\ud83d"),
        ("done\u{1b}[32mSmith\u{1b}[0m \u{1b}[31mjo@x.de", "done\u{1b}[32mRuiz\u{1b}[0m \u{1b}[31m<email>"),
        (
            r"\e[1mJohn \033[0;31mSmith \x1b[32mjo@x.de \u001b[1mSmith",
            r"\e[1mCarlos \033[0;31mRuiz \x1b[32m<email> \u001b[1mRuiz",
        ),
        // No escapes: they stay, and so does what is no name behind them.
        (r"\d+\k \u12 \ud800 \\ C:\Users\John \", r"\d+\k \u12 \ud800 \\ C:\Users\Carlos \"),
    ] {
        assert_eq!(john(text), want, "{text}");
    }
    let german = &[(Role::First, "Jürgen", "Carlos"), (Role::Last, "Müller-Thurgau", "Ruiz")][..];
    assert_eq!(mask(german, None, r#"{"m":"J\u00fcrgen M\u00FCller-Thurgau"}"#), r#"{"m":"Carlos Ruiz"}"#);
    assert_eq!(
        mask(german, None, r"GET /?q=J\xC3\xBCrgen b'M\xc3\xbcller-Thurgau' J\303\274rgen"),
        "GET /?q=Carlos b'Ruiz' Carlos"
    );
    assert_eq!(mask(german, None, r#"{\"m\":\"M\\u00DCLLER-THURGAU\"}"#), r#"{\"m\":\"RUIZ\"}"#);
}

/// The letter stays: it may be an escape, and what is behind it a word.
#[test]
fn a_path_that_reads_as_an_escape_keeps_no_name() {
    let nora = &[(Role::First, "Nora", "Eva"), (Role::Username, "tkoppi", "xuser")][..];
    let masked = mask(nora, None, r"C:\data\nora\tkoppi\tkoppi@x.de");
    assert_eq!(masked, r"C:\data\neva\txuser\t<email>");
    assert_eq!(mask(nora, None, r"C:\data\norad"), r"C:\data\norad");
}

#[test]
fn masks_in_a_document_need_no_escapes() {
    let quoted = &[(Role::Whole, "Ocean Trading", "The \"Big\" \\ Co\u{7}"), (Role::Last, "Smith", "Ruiz")][..];
    let document = r#"{"a":"x\nOcean Trading, \"Smith\"","b":"Smith"}"#;
    let masked = mask(quoted, None, document);
    assert_eq!(masked, r#"{"a":"x\nThe 'Big' / Co , \"Ruiz\"","b":"Ruiz"}"#);
    assert!(serde_json::from_str::<Value>(&masked).is_ok());
    // Where nothing is escaped, a mask stays as it is.
    assert_eq!(mask(quoted, None, "Ocean Trading"), "The \"Big\" \\ Co\u{7}");
}

#[test]
fn the_keys_and_values_of_documents_are_no_quoted_addresses() {
    for text in [
        r#"{"@context":"https://schema.test","@type":"Person"}"#,
        r#"{"a":"","@type":1}, {"b": "@jo"}, ["x", "@jo"], [1,"@jo"]"#,
    ] {
        assert_eq!(plain(text), text);
    }
    assert_eq!(plain(r#"{"a":"x","b":"\"john smith\"@x.de"}"#), r#"{"a":"x","b":"<email>"}"#);
}

#[test]
fn addresses_with_entities_are_found() {
    for text in ["jo.b&#64;x.de", "jo.b&#x40;x.de", "jo.b&commat;x.de", "jo&#46;b@x&period;de", "&#106;o.b@x.de"] {
        assert_eq!(plain(&format!("<p>&lt;{text}&gt;</p>")), "<p>&lt;<email>&gt;</p>", "{text}");
    }
    for text in ["5 &#64; 3, &#64;", "AT&amp;T a&#64;1", "&commat;"] {
        assert_eq!(plain(text), text);
    }
    let realm = crate::mask::MasterKey::test().realm("default");
    let masked = |kind: &str, value: &str| {
        crate::mask::mask_value(&realm, kind, "", Params::new(), None, value).expect("a mask").expect("text")
    };
    let address = masked("email", "jo.b@example.com");
    for text in ["jo.b&#64;example.com", r"x\njo.b@example.com", r"jo.b\u0040example.com", r"x\njo.b&#64;example.com"] {
        assert!(masked("text.spans", text).ends_with(&address), "{text}");
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

/// `Tim` in small letters may be a word; beside another name of the row it is none.
#[test]
fn short_names_in_small_letters_are_found_beside_other_names() {
    let of = |first: &str, last: &str, text: &str| {
        mask(&[(Role::First, first, "Carlos"), (Role::Last, last, "Ruiz")], None, text)
    };
    for (text, want) in [
        ("customer tim lindqvist wants", "customer carlos ruiz wants"),
        ("lindqvist, tim", "ruiz, carlos"),
        ("tim.lindqvist tim_lindqvist tim-lindqvist", "carlos.ruiz carlos_ruiz carlos-ruiz"),
        ("tim\nlindqvist, Lindqvists tim", "carlos\nruiz, Ruizs carlos"),
        (r#"{"a":"tim\nlindqvist"}"#, r#"{"a":"carlos\nruiz"}"#),
        // The twins: words.
        ("tim, and tim! lindqvist", "tim, and tim! ruiz"),
        ("tim called lindqvist", "tim called ruiz"),
        ("tim tim", "tim tim"),
        ("tim lindqvistson", "tim lindqvistson"),
    ] {
        assert_eq!(of("Tim", "Lindqvist", text), want, "{text}");
    }
    assert_eq!(of("Kim", "Lee", "kim lee called, lee kim. But lee"), "carlos ruiz called, ruiz carlos. But lee");
    assert_eq!(of("Eva", "van den Berg", "van den berg, eva"), "ruiz, carlos");
    assert_eq!(of("An", "Berg", "an offer"), "an offer");
}

#[test]
fn a_text_that_is_too_long_loses_no_half_of_an_address() {
    let long = mask(&[], Some(20), "please write to a@b.cd or call");
    assert_eq!(long, "please write to ");
    assert_eq!(mask(&[], Some(8), "<email>bob@example.com"), "<email><");
}

#[test]
fn definitions_are_searched_for_what_is_hardly_anything_else() {
    for text in [
        "DEFAULT '81.2.69.142'",
        "DEFAULT '2a02:8071::1'::inet",
        "DEFAULT '(415) 555-0132'",
        "DEFAULT '\\x626f62406578616d706c652e636f6d'::bytea",
        "DEFAULT 'host=db.prod password=hunter2secret'",
        "DEFAULT 'ghp_0123456789abcdefghijABCDEFGHIJ012345'",
        "DEFAULT 'AKIAIOSFODNN7EXAMPLE'",
    ] {
        assert_ne!(personal_kinds(text), Vec::<&str>::new(), "{text}");
    }
    for text in [
        "DEFAULT '127.0.0.1'",
        "DEFAULT '0.0.0.0/0'::cidr",
        "DEFAULT '10.1.2.3'::inet",
        "DEFAULT '\\x00ff17'::bytea",
        "password text NOT NULL",
        "CHECK (version <> '1.2.3.4.5')",
        "CHECK (length(password) > 12)",
        "COMMENT 'password=%s is set by the application'",
    ] {
        assert_eq!(personal_kinds(text), Vec::<&str>::new(), "{text}");
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
fn urls_lose_credentials_users_and_tokens() {
    for (text, want) in [
        ("https://bob:pw@db.example.com/x", "https://<user>:<secret>@db.example.com/x"),
        (
            "https://bob@db.example.com, ssh://:pw@db.example.com",
            "https://<user>@db.example.com, ssh://:<secret>@db.example.com",
        ),
        ("https://bob%40y.test:pw@db.example.com", "https://%3Csecret%3E@db.example.com"),
        ("see https://github.com/jsmith/repo.", "see https://github.com/<user>/repo."),
        ("https://example.com/users/jsmith?tab=1", "https://example.com/users/<user>?tab=1"),
        ("https://example.com/users/42", "https://example.com/users/42"),
        ("https://www.linkedin.com/in/john-smith-1/", "https://www.linkedin.com/in/<user>/"),
        ("https://mastodon.example/@jsmith", "https://mastodon.example/@<user>"),
        ("https://x.test/?user=jsmith&token=abc#top", "https://x.test/?user=<user>&token=<secret>#top"),
        ("https://x.test/a/b?c=d", "https://x.test/a/b?c=d"),
        ("http:// and ://x", "http:// and ://x"),
        (
            "https://x.com/login?user=bob%20smith&token=abc%2Fdef12345",
            "https://x.com/login?user=%3Cuser%3E&token=%3Csecret%3E",
        ),
        ("https://example.com/users/bob%20smith", "https://example.com/users/%3Cuser%3E"),
        ("https://x.test/?user=bob%40example.com&token=ab%40", "https://x.test/?user=<email>&token=%3Csecret%3E"),
        (
            "see www.example.com/users/bob, or example.com:80/u/bob.",
            "see www.example.com/users/<user>, or example.com:80/u/<user>.",
        ),
        ("x.test/a?u=bob&uid=42, x.test?user=bob", "x.test/a?u=<user>&uid=42, x.test?user=<user>"),
        ("facebook.com/profile.php?id=100001234567890", "facebook.com/profile.php?id=<user>"),
        (
            "x.test/profile.php?id=17, and/or src/users/bob, 1.5kg/u/day",
            "x.test/profile.php?id=17, and/or src/users/bob, 1.5kg/u/day",
        ),
        (
            "https://x.test/users/settings and https://x.test/users/login",
            "https://x.test/users/settings and https://x.test/users/login",
        ),
        // One inside another has credentials and users of its own, and the fields of both.
        (
            "https://x.test/go/https://bob:pw@y.test/users/jo?token=abc",
            "https://x.test/go/https://<user>:<secret>@y.test/users/<user>?token=<secret>",
        ),
        (
            "https://x.test/?next=https://y.test/~jo/a&user=jsmith",
            "https://x.test/?next=https://y.test/~<user>/a&user=<user>",
        ),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

/// Would run for hours if each of them looked at all that follows.
#[test]
fn texts_made_of_beginnings_of_urls_are_read_once() {
    for part in [
        "a://",
        "a://b?",
        "a://b@",
        "a://b/users/",
        "b.cd/",
        "b.cd?u",
        "1/",
        "111222333, ",
        "}@",
        "=40",
        "!a@",
        "a @ ",
        "a%40",
        "a%2540",
        "ab%40",
        "ab%2540",
        "a@b-",
        "a@bc_",
    ] {
        let text = part.repeat(1 << 19);
        assert!(plain(&text).len() > 1 << 19);
    }
}

#[test]
fn the_rows_names_are_replaced_in_their_case() {
    for (text, want) in [
        ("John Smith called", "Carlos Ruiz called"),
        ("JOHN SMITH, john smith", "CARLOS RUIZ, carlos ruiz"),
        ("John's and Smith’s", "Carlos's and Ruiz’s"),
        ("J. Smith, J Smith, J.Smith", "C. Ruiz, C Ruiz, C.Ruiz"),
        ("Smith, J. and Smith, John", "Ruiz, C. and Ruiz, Carlos"),
        ("K. Smith", "K. Ruiz"),
        ("Johnson Smithers goldsmith", "Johnson Smithers goldsmith"),
        ("john_smith-john", "carlos_ruiz-carlos"),
        ("jöhn smith", "carlos ruiz"),
        ("john@smith.com", "<email>"),
    ] {
        assert_eq!(john(text), want, "{text}");
    }
}

#[test]
fn names_with_accents_particles_and_apostrophes_are_found() {
    let of = |name: &str, text: &str| mask(&[(Role::Last, name, "Ruiz")], None, text);
    assert_eq!(of("Østergaard", "Ostergaard ØSTERGAARD"), "Ruiz RUIZ");
    assert_eq!(of("Castañeda", "castaneda, Castan\u{303}eda!"), "ruiz, Ruiz!");
    assert_eq!(of("Nguyễn", "Nguyen Nguyễn"), "Ruiz Ruiz");
    assert_eq!(of("O'Brien", "O’Brien OBrien o'brien"), "Ruiz Ruiz ruiz");
    assert_eq!(of("van den Berg", "Van den  Berg, Berg, den Haag, van"), "Ruiz, Ruiz, den Haag, van");
    assert_eq!(of("de la Cruz", "de la cruz; Cruz"), "ruiz; Ruiz");
    assert_eq!(of("Smith-Jones", "Smith Jones, Smith-Jones, Jones"), "Ruiz, Ruiz, Ruiz");
    assert_eq!(of("Straße", "STRASSE"), "RUIZ");
    assert_eq!(of("Иванов", "ИВАНОВ и Ивановский"), "RUIZ и Ивановский");
    assert_eq!(of("王", "王先生来电"), "Ruiz先生来电");
    assert_eq!(of("An", "an offer for An"), "an offer for Ruiz");
}

#[test]
fn full_names_are_found_in_parts() {
    let of = |name: &str, text: &str| mask(&[(Role::Full, name, "Carlos Ruiz")], None, text);
    assert_eq!(of("John Smith", "John Smith; John; Mr. Smith; J. Smith"), "Carlos Ruiz; Carlos; Mr. Ruiz; C. Ruiz");
    assert_eq!(of("Smith, John", "John Smith"), "Carlos Ruiz");
    assert_eq!(of("Dr. Maria de la Cruz", "Maria de la Cruz, Cruz"), "Carlos Ruiz, Ruiz");
    assert_eq!(of("Cher", "Cher sang"), "Carlos Ruiz sang");
    assert_eq!(of("", "nobody"), "nobody");
}

#[test]
fn other_columns_of_the_row_count_too() {
    let of = |role, raw: &str, text: &str| mask(&[(role, raw, "masked")], None, text);
    assert_eq!(of(Role::Username, "jsmith42", "user jsmith42, JSMITH42"), "user masked, MASKED");
    assert_eq!(of(Role::Whole, "12 Oak Street", "lives at 12 Oak street"), "lives at masked");
}

#[test]
fn copies_of_a_found_number_go_with_it() {
    assert_eq!(plain("call 2125550100, see #2125550100"), "call <phone>, see #<phone>");
}

#[test]
fn null_empty_and_blank_texts_stay() {
    for text in ["", " ", " \n\t", "no data here"] {
        assert_eq!(john(text), text);
    }
}

#[test]
fn a_text_that_outgrows_its_column_loses_its_tail() {
    assert_eq!(mask(&[], Some(10), "é a@b.c éé"), "é <email> ");
    assert_eq!(mask(&[], Some(5), "a@b.c"), "<emai");
    assert_eq!(mask(&[], Some(7), "ééééééé"), "ééééééé");
}

/// Replaces values by words without anything a detector could take, so that a second run must find nothing.
fn spans_of(text: &str, names: &Names) -> Vec<super::spans::Span> {
    let mut found = Found::default();
    found.find(text, names);
    found.spans
}

fn planted() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{1,5})?@[a-z]{2,8}\\.(com|de|example)",
        "\\+1-[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}",
        "\\([2-9][0-9]{2}\\) [0-9]{3}-[0-9]{4}",
        "\\+49 1[567][0-9] [0-9]{7}",
        "[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}",
        "4[0-9]{3} [0-9]{4} [0-9]{4} [0-9]{4}",
        "(10|192|8)\\.[1-9][0-9]\\.[1-9]\\.[1-9]",
        Just("John Smith".to_owned()),
        Just("SMITH".to_owned()),
    ]
}

proptest! {
    #[test]
    fn planted_values_never_survive(parts in prop::collection::vec(("[a-z,;!? ]{0,12}", planted()), 1..6)) {
        // The word before a number can make it one of a thing: `v 10.10.1.1`.
        let text: String = parts.iter().map(|(words, value)| format!("{words} is {value} ; ")).collect();
        let masked = john(&text);
        for (_, value) in &parts {
            prop_assert!(!masked.contains(value.as_str()), "{} -> {}", text, masked);
        }
    }

    #[test]
    fn spans_are_disjoint_in_order_and_on_char_boundaries(text in "(\\PC|[@:%./0-9a-f +()\u{a0}-]|John |Smith|https://|%40|@b\\.de|\n){0,60}") {
        let mut names = Names::default();
        for (role, raw, masked) in PERSON {
            names.add(*role, raw, masked);
        }
        names.join();
        let mut end = 0;
        for span in spans_of(&text, &names) {
            prop_assert!(span.start >= end && span.end > span.start);
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            end = span.end;
        }
        let again = spans_of(&text, &names);
        prop_assert_eq!(spans_of(&text, &names), again);
    }

    #[test]
    fn text_outside_of_spans_keeps_its_bytes(text in "(\\PC|[@:%./0-9a-f +()-]|John |Smith|https://|@b\\.de){0,60}") {
        let mut names = Names::default();
        for (role, raw, masked) in PERSON {
            names.add(*role, raw, masked);
        }
        names.join();
        let masked = john(&text);
        let mut rest = masked.as_str();
        let mut at = 0;
        for span in spans_of(&text, &names) {
            let gap = &text[at..span.start];
            prop_assert!(rest.starts_with(gap));
            rest = &rest[gap.len()..];
            let mut mask = String::new();
            match (span.detector, slot(span.detector)) {
                (Detector::Name(needle), _) => names.push_mask(needle, &text[span.start..span.end], &mut mask),
                (Detector::Username | Detector::Secret, Some(slot)) if net::is_encoded(&text[span.start..span.end]) => {
                    mask.push_str(&net::encoded(WORDS[slot]));
                }
                (_, Some(slot)) => {
                    let word = WORDS.get(slot).copied().unwrap_or("<id>");
                    let number = matches!(slot, 1..=4 | 7..);
                    let written = written::masked(&text[span.start..span.end], |_| Ok::<_, ()>(word.to_owned()));
                    mask.push_str(written.ok().flatten().filter(|_| number).as_deref().unwrap_or(word));
                }
                _ => {}
            }
            prop_assert!(rest.starts_with(&mask));
            rest = &rest[mask.len()..];
            at = span.end;
        }
        prop_assert_eq!(rest, &text[at..]);
    }

    #[test]
    fn nothing_is_found_twice(text in "(\\PC|[@./0-9 +()-]|John |Smith|@b\\.de){0,60}") {
        let masked = john(&text);
        let mut names = Names::default();
        for (role, raw, masked) in PERSON {
            names.add(*role, raw, masked);
        }
        names.join();
        for span in spans_of(&masked, &names) {
            let value = &masked[span.start..span.end];
            // Only what masking brought together may look like a value: it holds a mask or touches one.
            let around = &masked[masked.floor_char_boundary(span.start.saturating_sub(8))..masked.ceil_char_boundary(span.end + 8)];
            prop_assert!(around.contains(['<', '>']) || around.contains("Carlos") || around.contains("Ruiz"), "{}", value);
        }
    }

    #[test]
    fn any_name_and_any_text_work_together(raw in "\\PC{0,12}", text in "\\PC{0,40}", at in 0_usize..40) {
        let at = text.floor_char_boundary(at.min(text.len()));
        let text = format!("{} {raw} {}", &text[..at], &text[at..]);
        for role in [Role::First, Role::Last, Role::Full, Role::Username, Role::Whole] {
            mask(&[(role, &raw, "Carlos Ruiz")], Some(50), &text);
        }
    }
}
