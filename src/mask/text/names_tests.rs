//! Names as people and programs write them, and words that only look like them.

use super::names::Role;
use super::tests::{john, mask};

/// A text of a row with first and last name; they become Carlos and Ruiz.
fn of(first: &str, last: &str, text: &str) -> String {
    mask(&[(Role::First, first, "Carlos"), (Role::Last, last, "Ruiz")], None, text)
}

fn full(name: &str, text: &str) -> String {
    mask(&[(Role::Full, name, "Carlos Ruiz")], None, text)
}

#[test]
fn parts_of_a_double_first_name_are_found_in_full_names_too() {
    for (name, text, want) in [
        ("Hans-Peter Mueller", "Peter rang; Hans rang", "Carlos rang; Carlos rang"),
        ("Smith, Mary-Jane", "Jane came; Mary", "Carlos came; Carlos"),
        ("Marie-Claire Dupont", "Claire called", "Carlos called"),
        // The twins: other names.
        ("Hans-Peter Mueller", "Peterson and Hansen", "Peterson and Hansen"),
        ("Marie-Claire Dupont", "Mariel declaires", "Mariel declaires"),
    ] {
        assert_eq!(full(name, text), want, "{name}: {text}");
    }
}

#[test]
fn short_parts_of_double_names_are_found_with_a_capital() {
    for (first, text, want) in [
        ("Mary-Ann", "Ann called. ANN", "Carlos called. CARLOS"),
        ("Jo-Ann", "Ann called, Jo too", "Carlos called, Carlos too"),
        ("Kim-Li", "Li called, Kim too", "Carlos called, Carlos too"),
        ("Jean-Luc", "Luc called; luc dupont", "Carlos called; carlos ruiz"),
        ("An-Marie", "An offer for An Dupont", "An offer for Carlos Ruiz"),
        // The twins: other words, and words with which sentences begin.
        ("Mary-Ann", "Annual, annual, ann, Anne", "Annual, annual, ann, Anne"),
        ("Jean-Luc", "Lucky Luciano, luc", "Lucky Luciano, luc"),
        ("An-Marie", "An offer. AN OFFER", "An offer. AN OFFER"),
    ] {
        assert_eq!(of(first, "Dupont", text), want, "{first}: {text}");
    }
    assert_eq!(of("Eva", "Lee-Fox", "Mrs. Fox and Mrs. Lee, a fox"), "Mrs. Ruiz and Mrs. Ruiz, a fox");
}

#[test]
fn greek_names_are_found_in_capitals() {
    let greek = |text: &str| of("Γιώργος", "Παπαδόπουλος", text);
    assert_eq!(greek("ΓΙΩΡΓΟΣ ΠΑΠΑΔΟΠΟΥΛΟΣ"), "CARLOS RUIZ");
    assert_eq!(greek("ΓΙΏΡΓΟΣ ΠΑΠΑΔΌΠΟΥΛΟΣ, Γιώργος"), "CARLOS RUIZ, Carlos");
    assert_eq!(of("ΓΙΩΡΓΟΣ", "ΠΑΠΑΔΟΠΟΥΛΟΣ", "Γιώργος Παπαδόπουλος"), "Carlos Ruiz");
    // The twin: her name.
    assert_eq!(greek("Παπαδοπούλου, ΠΑΠΑΔΟΠΟΥΛΟΥ"), "Παπαδοπούλου, ΠΑΠΑΔΟΠΟΥΛΟΥ");
}

#[test]
fn what_languages_write_on_to_a_name_hides_no_name() {
    for (text, want) in [
        ("김민수님, 민수씨가 김씨와", "ruizcarlos님, Carlos씨가 Ruiz씨와"),
        ("김민수는 민수에게 민수님께서", "ruizcarlos는 Carlos에게 Carlos님께서"),
        // The twins: other words.
        ("민수기, 국민수님, 김치와 김도", "민수기, 국민수님, 김치와 김도"),
    ] {
        assert_eq!(of("민수", "김", text), want, "{text}");
    }
    assert_eq!(of("Sarah", "Kim", "Sarah님과 Kim씨, Sarah고"), "Carlos님과 Ruiz씨, Sarah고");
    assert_eq!(of("小明", "王", "王고"), "Ruiz고");
    assert_eq!(full("김 민수", "김민수님"), "Carlos Ruiz님");
    assert_eq!(full("김민수", "김민수님과"), "Carlos Ruiz님과");
    assert_eq!(of("سامي", "العلي", "والعلي وسامي"), "وRuiz وCarlos");
    assert_eq!(of("سامي", "علي", "والعلي, معلي, العلي"), "والRuiz, معلي, العلي");
    assert_eq!(of("דוד", "כהן", "לדוד וכהן ולדוד"), "לCarlos וRuiz ולCarlos");
    assert_eq!(of("דוד", "כהן", "צדוד, דודים"), "צדוד, דודים");
}

#[test]
fn names_with_digits_behind_them_are_logins() {
    for (text, want) in [
        ("lindqvist84 logged in", "ruiz<secret> logged in"),
        ("Lindqvist2025, katharina1990", "Ruiz<secret>, carlos<secret>"),
        ("KATHARINA2 as katharinalindqvist84", "CARLOS<secret> as carlosruiz<secret>"),
        ("/home/klindqvist7/x", "/home/cruiz<secret>/x"),
        ("lindqvist84@x.de", "<email>"),
        // The twins: more digits, letters behind them, and other words.
        ("lindqvist12345 lindqvist84x", "lindqvist12345 lindqvist84x"),
        ("golindqvist84 Lindqvistson84 Katharinas2", "golindqvist84 Lindqvistson84 Katharinas2"),
    ] {
        assert_eq!(of("Katharina", "Lindqvist", text), want, "{text}");
    }
    // Names of four letters with digits are products as well.
    assert_eq!(of("Anna", "Ford", "anna84 Ford2000"), "anna84 Ford2000");
    assert_eq!(of("John", "Smith Jr.", "johnsmith, jsmith, jsmith7"), "carlosruiz, cruiz, cruiz<secret>");
    assert_eq!(of("Ludwig", "van Beethoven", "lvanbeethoven"), "cruiz");
    assert_eq!(full("Katharina Lindqvist", "klindqvist84, katharinalindqvist"), "cruiz<secret>, carlosruiz");
}

#[test]
fn a_short_name_stands_beside_another_one_through_marks_tags_and_keys() {
    for (text, want) in [
        ("ian;mcdonald;x", "carlos;ruiz;x"),
        ("**ian** mcdonald", "**carlos** ruiz"),
        ("<b>ian</b> <i>mcdonald</i>", "<b>carlos</b> <i>ruiz</i>"),
        ("<td>mcdonald</td><td class=\"x\">ian</td>", "<td>ruiz</td><td class=\"x\">carlos</td>"),
        ("re:ian:mcdonald", "re:carlos:ruiz"),
        (r#"{"first":"ian","last":"mcdonald"}"#, r#"{"first":"carlos","last":"ruiz"}"#),
        (r#"{"last": "mcdonald", "first": "ian"}"#, r#"{"last": "ruiz", "first": "carlos"}"#),
        ("first=ian&last=mcdonald", "first=carlos&last=ruiz"),
        ("ian & mcdonald GmbH", "carlos & ruiz GmbH"),
        // The twins: too far away, another sentence, another word between them.
        ("ian ---- mcdonald", "ian ---- ruiz"),
        ("ian! mcdonald", "ian! ruiz"),
        ("ian called: mcdonald", "ian called: ruiz"),
        ("<b>ian</b> and <i>mcdonald</i>", "<b>ian</b> and <i>ruiz</i>"),
    ] {
        assert_eq!(of("Ian", "McDonald", text), want, "{text}");
    }
    assert_eq!(of("Ida", "van Dam", "ida;van dam"), "carlos;ruiz");
}

#[test]
fn colors_and_tags_inside_of_a_name_stand_behind_its_mask() {
    for (text, want) in [
        (
            "\u{1b}[1;31mKatha\u{1b}[0mrina \u{1b}[32mLind\u{1b}[0mqvist",
            "\u{1b}[1;31mCarlos\u{1b}[0m \u{1b}[32mRuiz\u{1b}[0m",
        ),
        ("\u{1b}[01;31m\u{1b}[KLind\u{1b}[m\u{1b}[Kqvist", "\u{1b}[01;31m\u{1b}[KRuiz\u{1b}[m\u{1b}[K"),
        (r"\e[31mKatha\e[0mrina, LIND\x1b[0mQVIST", r"\e[31mCarlos\e[0m, RUIZ\x1b[0m"),
        ("<span>Katha</span><span>rina</span>", "<span>Carlos</span><span></span>"),
        ("Lind<wbr>qvist, <b>LIND</b>QVIST", "Ruiz<wbr>, <b>RUIZ</b>"),
        ("Dear <b>K</b>atharina, Lind<b>qvist</b>", "Dear <b>Carlos</b>, Ruiz<b></b>"),
        (r#"{"a":"Lind<b>qvist<\/b>"}"#, r#"{"a":"Ruiz<b><\/b>"}"#),
        // Found without that, in part or as a whole.
        ("<b>Katharina</b><i>Lindqvist</i>", "<b>Carlos</b><i>Ruiz</i>"),
        ("<b>Katharina</b>Lind<i>qvist</i>", "<b>Carlos</b>Ruiz<i></i>"),
        ("\u{1b}[32mKatharina\u{1b}[0mLindqvist", "\u{1b}[32mCarlos\u{1b}[0mRuiz"),
        ("\u{1b}[1mKatharina\u{1b}[0m: <b>Lindqvist</b>", "\u{1b}[1mCarlos\u{1b}[0m: <b>Ruiz</b>"),
        // The twins: words that stand apart.
        ("Katha\u{1b}[0m rina, Lind \u{1b}[0mqvist", "Katha\u{1b}[0m rina, Lind \u{1b}[0mqvist"),
        ("<td>Katha</td><td>rina</td><p>Lind<br>qvist", "<td>Katha</td><td>rina</td><p>Lind<br>qvist"),
        ("a<b and Katha<b> rina", "a<b and Katha<b> rina"),
    ] {
        assert_eq!(of("Katharina", "Lindqvist", text), want, "{text:?}");
    }
    assert_eq!(full("Katharina Lindqvist", "<em>Katha</em>rina Lindqvist"), "<em>Carlos</em> Ruiz");
}

#[test]
fn tags_and_colors_join_no_addresses_and_no_numbers() {
    for (text, want) in [
        ("<span>From</span><span>bob@web.de</span>", "<span>From</span><span><email></span>"),
        ("<span>bob@web.de</span><span>Berlin</span>", "<span><email></span><span>Berlin</span>"),
        ("<i>ann@web.de</i><i>bob@web.de</i>", "<i><email></i><i><email></i>"),
        ("bob@web.de\u{1b}[0mok", "<email>\u{1b}[0mok"),
        ("[\u{1b}[32mINFO\u{1b}[0m]bob@web.de\u{1b}[0m-2025", "[\u{1b}[32mINFO\u{1b}[0m]<email>\u{1b}[0m-2025"),
        (
            "<span>SSN</span><span>536-71-8294</span><span>1</span>&nbsp;",
            "<span>SSN</span><span><ssn></span><span>1</span>&nbsp;",
        ),
        ("<td>bob</td><td>ann@x.de</td>", "<td>bob</td><td><email></td>"),
        // The twin: what stands in one piece has its tags around it.
        ("<b>bob@web.de</b> Lind<b>qvist</b>", "<b><email></b> Ruiz<b></b>"),
    ] {
        assert_eq!(of("Katharina", "Lindqvist", text), want, "{text:?}");
    }
}

#[test]
fn names_of_attributes_and_keys_are_no_neighbors() {
    for (text, want) in [
        (r#"<img alt="tim">"#, r#"<img alt="tim">"#),
        (r#"{"alt":"tim"}"#, r#"{"alt":"tim"}"#),
        ("tim=1&alt=2", "tim=1&alt=2"),
        // The twins: values.
        (r#"<img title="tim alt">"#, r#"<img title="carlos ruiz">"#),
        (r#"{"first":"tim","last":"alt"}"#, r#"{"first":"carlos","last":"ruiz"}"#),
        ("first=tim&last=alt", "first=carlos&last=ruiz"),
    ] {
        assert_eq!(of("Tim", "Alt", text), want, "{text}");
    }
}

#[test]
fn whole_korean_names_are_found_whatever_follows_and_given_ones_with_known_endings() {
    for ending in ["입니다", "예요", "라고", "고객님", "대리", "부장님", "까지", "에게서", "로부터", "께서는", "귀하"]
    {
        assert_eq!(of("민수", "김", &format!("김민수{ending}")), format!("ruizcarlos{ending}"));
        assert_eq!(full("김민수", &format!("(김민수{ending})")), format!("(Carlos Ruiz{ending})"));
    }
    for ending in ["야", "네", "입니다", "이에요", "팀장", "선생님께서는"] {
        assert_eq!(of("민수", "김", &format!("민수{ending}")), format!("Carlos{ending}"));
    }
    assert_eq!(full("김민수", "민수씨, 민수"), "Carlos씨, Carlos");
    // The twins: another word, another name, and a name of no such family.
    assert_eq!(of("민수", "김", "민수기 국민수님 김민정"), "민수기 국민수님 김민정");
    assert_eq!(full("스미스", "미스 김"), "미스 김");
}

/// Would run for hours if each of them looked at all that follows.
#[test]
fn texts_made_of_colors_and_tags_are_read_once() {
    for part in ["\u{1b}[0m", r"\e[0m", r"a\x1b[K", "<b>", "a<b>", "ian<i>", "</i>ian", "ian ", "ian_", "lindqvist1"] {
        let text = part.repeat(1 << 17);
        assert!(of("Ian", "Lindqvist", &text).len() >= 1 << 17);
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

/// `Tim` in small letters may be a word; beside another name of the row it is none.
#[test]
fn short_names_in_small_letters_are_found_beside_other_names() {
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
    assert_eq!(full("John Smith", "John Smith; John; Mr. Smith; J. Smith"), "Carlos Ruiz; Carlos; Mr. Ruiz; C. Ruiz");
    assert_eq!(full("Smith, John", "John Smith"), "Carlos Ruiz");
    assert_eq!(full("Dr. Maria de la Cruz", "Maria de la Cruz, Cruz"), "Carlos Ruiz, Ruiz");
    assert_eq!(full("Cher", "Cher sang"), "Carlos Ruiz sang");
    assert_eq!(full("", "nobody"), "nobody");
}

#[test]
fn other_columns_of_the_row_count_too() {
    let of = |role, raw: &str, text: &str| mask(&[(role, raw, "masked")], None, text);
    assert_eq!(of(Role::Username, "jsmith42", "user jsmith42, JSMITH42"), "user masked, MASKED");
    assert_eq!(of(Role::Whole, "12 Oak Street", "lives at 12 Oak street"), "lives at masked");
}

#[test]
fn digits_titles_and_forms_written_on_to_a_name_hide_it_not() {
    for (first, last, text, want) in [
        ("Katharina", "Lindqvist", "Lindqvist², Lindqvist₁", "Ruiz², Ruiz₁"),
        ("Katharina", "Lindqvist", "0012Lindqvist 1Lindqvist", "<secret>Ruiz <secret>Ruiz"),
        ("Eva", "García López", "García López²", "Ruiz²"),
        ("Ian", "MacGillivray", "2024MacGillivray MrMacGillivray", "<secret>Ruiz MrRuiz"),
        ("Ian", "MacGillivray", "MacGillivrayGmbH, MacGillivrayLtd.", "RuizGmbH, RuizLtd."),
        ("Anna", "Wiśniewski", "FrauWiśniewski", "FrauRuiz"),
        ("Anna", "Östermann", "HerrÖstermann", "HerrRuiz"),
        ("Wolfgang", "Müller-Lüdenscheidt", "WolfgangMüller-Lüdenscheidt", "carlosruiz"),
        ("Thị Hương", "Nguyễn", "Thị HươngNguyễn rief an", "carlosruiz rief an"),
        ("小明", "王", "VIP王小明, ID7王小明", "VIPruizcarlos, ID7ruizcarlos"),
        // The twins: other words, and numbers of things.
        ("Anna", "Price", "UnitPrice PriceList getPriceList", "UnitPrice PriceList getPriceList"),
        ("Donald", "Duck", "McDonald's, MacDonald", "McDonald's, MacDonald"),
        ("Anna", "Lindqvist", "123456Lindqvist a1Lindqvist", "123456Lindqvist a1Lindqvist"),
        ("Anna", "Ford", "2Ford 0f2fordd", "2Ford 0f2fordd"),
        ("Anna", "Agnes", "LindqvistAGnes", "LindqvistAGnes"),
    ] {
        assert_eq!(of(first, last, text), want, "{text}");
    }
}

#[test]
fn the_initial_of_the_last_name_stands_behind_the_first_one() {
    for (first, last, text, want) in [
        ("Katharina", "Lindqvist", "Katharina L. rief an; Katharina L", "Carlos R. rief an; Carlos R"),
        ("Tuan", "Nguyễn", "Nguyễn T", "Ruiz C"),
        // The twins: another letter, words, and the beginning of one.
        (
            "Katharina",
            "Lindqvist",
            "Katharina M., Katharina Lund, Katharina L-Form",
            "Carlos M., Carlos Lund, Carlos L-Form",
        ),
        ("Ida", "Ames", "Ames I think, Ida A day", "Ruiz I think, Carlos A day"),
    ] {
        assert_eq!(of(first, last, text), want, "{text}");
    }
    assert_eq!(full("Katharina Lindqvist", "Katharina L. und K. Lindqvist"), "Carlos R. und C. Ruiz");
}

#[test]
fn titles_degrees_nicknames_and_names_of_birth_are_read_in_full_names() {
    let name = r#"Dr. Katharina "Kati" Lindqvist-Öst (geb. Meierbeer), PhD"#;
    for (text, want) in [
        ("Kati, Frau Meierbeer", "Carlos, Frau Ruiz"),
        ("K. Lindqvist-Öst, Dr. Lindqvist-Öst", "C. Ruiz, Dr. Ruiz"),
        ("Katharina Lindqvist-Öst hat einen PhD, geb. in Köln", "Carlos Ruiz hat einen PhD, geb. in Köln"),
    ] {
        assert_eq!(full(name, text), want, "{text}");
    }
    assert_eq!(full("Dr. Frauke Ostermoor, PhD", "Ostermoor hat einen PhD"), "Ruiz hat einen PhD");
    assert_eq!(full("Dr. Frauke Ostermoor, PhD", "F. Ostermoor, P. Ostermoor"), "C. Ruiz, P. Ruiz");
    assert_eq!(full("John Smith MD", "Smith is an MD"), "Ruiz is an MD");
}

#[test]
fn full_names_without_blanks_are_found_in_parts() {
    assert_eq!(full("王小明", "王小明, 小明说, 王先生"), "Carlos Ruiz, Carlos说, Ruiz先生");
    assert_eq!(full("高橋一郎", "高橋さん、一郎"), "Ruizさん、Carlos");
    assert_eq!(full("김민수", "김씨와 민수"), "Ruiz씨와 Carlos");
    // The twins: other words with the character.
    assert_eq!(full("王小明", "国王, 王国"), "国王, 王国");
    assert_eq!(full("王明", "明天"), "明天");
}

/// Names come before logins, wherever their columns stand.
#[test]
fn a_login_that_is_a_name_of_the_row_is_that_name() {
    let names = [(Role::Username, "anna", "loan_x"), (Role::First, "Anna", "Eva"), (Role::Last, "Kowalska", "Ruiz")];
    assert_eq!(mask(&names, None, "Anna Kowalska, anna"), "Eva Ruiz, eva");
    // The twin: a login that is no name.
    let names = [(Role::Username, "ak47x", "loan_x"), (Role::First, "Anna", "Eva")];
    assert_eq!(mask(&names, None, "Anna as ak47x"), "Eva as loan_x");
}

#[test]
fn a_last_name_that_is_written_like_a_degree_does_not_stay() {
    for (name, text, want) in [
        ("NGUYEN VAN BA", "Mr. Ba rang", "Mr. Ruiz rang"),
        ("JACK XIAO MA", "Jack Ma, MA", "Carlos Ruiz, RUIZ"),
        ("YO YO MA", "Mr. Ma", "Mr. Ruiz"),
        ("LEE SOO PE", "Mr. Pe", "Mr. Ruiz"),
        ("Yuki Ii", "Yuki Ii, Mrs. Ii", "Carlos Ruiz, Mrs. Ruiz"),
        ("Naoko Iv", "Mrs. Iv", "Mrs. Ruiz"),
        ("Abdul Rahman Md", "Mr. Rahman Md", "Mr. Ruiz"),
        ("Rahman, Md", "Md Rahman; Md rang", "Carlos Ruiz; Carlos rang"),
        ("Ann Born Smith", "Born rang", "Ruiz rang"),
        ("Maria Nata Smith", "Nata rang", "Ruiz rang"),
        ("Dr. Bo Ek PhD", "BoEk, boek", "carlosruiz, carlosruiz"),
        ("Doctor Strange", "Mr. Strange", "Mr. Ruiz"),
        ("Lady Gaga", "Gaga", "Ruiz"),
        // The twins: degrees, words of birth, and short names that are words together.
        ("Frauke Ostermoor, MA", "Ostermoor has an MA", "Ruiz has an MA"),
        ("Ann Smith (born Lee)", "born in 1980, Mrs. Lee", "born in 1980, Mrs. Ruiz"),
        ("Bo Ok", "book", "book"),
    ] {
        assert_eq!(full(name, text), want, "{name}: {text}");
    }
}
