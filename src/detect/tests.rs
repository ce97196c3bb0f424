//! The rules' own examples, and what must hold for all of them.

use super::sample::{passes, wilson};
use super::*;
use crate::mask;

/// `table.column` or `table.column:type`.
fn facts(text: &str) -> Facts<'_> {
    let (name, takes) = text.split_once(':').unwrap_or((text, "text"));
    let (table, column) = name.split_once('.').expect("table.column");
    let takes = Takes::ALL.iter().find(|known| known.name() == takes).expect("a type");
    Facts { table, column, takes: *takes, domain: None, affix: None }
}

fn score(findings: &[Finding], category: &str) -> f64 {
    findings.iter().find(|finding| finding.category.name == category).map_or(0.0, |finding| finding.score)
}

fn sampled(name: &str, values: &[&str]) -> Vec<Finding> {
    let facts = facts(name);
    let mut sample = Sample::new(&facts);
    values.iter().for_each(|value| sample.push(Some(value)));
    sample.findings(&facts)
}

#[test]
fn every_detector_finds_its_examples_and_not_its_counters() {
    let mut wrong = Vec::new();
    for detector in &RULES.detectors {
        let category = &RULES.categories[detector.category].name;
        assert!(detector.test.examples.len() >= 2 && detector.test.counters.len() >= 2, "{}", detector.id);
        for example in &detector.test.examples {
            let all = by_name(&facts(example));
            let best = all.first();
            if best.is_none_or(|best| best.category.name != *category || !best.found()) {
                let got = all.iter().map(|found| format!("{} {:.2}", found.category.name, found.score));
                wrong.push(format!("{}: {example} -> {:?}", detector.id, got.collect::<Vec<_>>()));
            }
        }
        for counter in &detector.test.counters {
            let score = score(&by_name(&facts(counter)), category);
            if score >= FOUND {
                wrong.push(format!("{}: {counter} is found with {score:.2}", detector.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_list_of_names_that_are_asked_has_its_examples_and_not_its_counters() {
    let mut wrong = Vec::new();
    let asks = |name: &str| is_asked(&facts(name));
    for asked in &RULES.asked {
        assert!(asked.examples.len() >= 2 && asked.counters.len() >= 2, "{}", asked.id);
        wrong.extend(asked.examples.iter().filter(|name| !asks(name)).map(|name| format!("{}: {name}", asked.id)));
        wrong.extend(asked.counters.iter().filter(|name| asks(name)).map(|name| format!("{}: not {name}", asked.id)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_content_test_passes_its_values_and_nothing_else() {
    let mut wrong = Vec::new();
    for detector in RULES.detectors.iter().filter(|detector| !detector.content.is_empty()) {
        let test = &detector.test;
        assert!(!test.values.is_empty() && !test.no_values.is_empty(), "{} has no values to test", detector.id);
        let any = |value: &String| detector.content.iter().any(|content| passes(content, value));
        wrong.extend(test.values.iter().filter(|value| !any(value)).map(|value| format!("{}: {value}", detector.id)));
        wrong.extend(
            test.no_values.iter().filter(|value| any(value)).map(|value| format!("{}: not {value}", detector.id)),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_proposed_exists() {
    for detector in &RULES.detectors {
        for proposal in &detector.propose {
            assert!(mask::kind(&proposal.kind).is_some(), "{}: {}", detector.id, proposal.kind);
        }
    }
}

#[test]
fn a_type_vetoes_what_it_cannot_hold() {
    for name in [
        "users.email:boolean",
        "users.email:timestamp",
        "users.phone:date",
        "users.password:boolean",
        "users.iban:integer",
    ] {
        assert!(by_name(&facts(name)).is_empty(), "{name}");
    }
    assert!(score(&by_name(&facts("x.y:inet")), "ip") >= FOUND);
    assert!(score(&by_name(&facts("x.y:macaddr")), "mac") >= FOUND);
}

#[test]
fn the_domain_of_a_type_says_what_it_holds() {
    let plain = facts("t.contact");
    assert!(score(&by_name(&plain), "email") < FOUND);
    assert!(score(&by_name(&Facts { domain: Some("email_address"), ..plain }), "email") >= FOUND);
}

#[test]
fn values_speak_where_names_do_not() {
    let emails = ["ann@example.org", "bob@example.com", "eve@example.net"];
    assert!(score(&sampled("t.col1", &emails), "email") >= FOUND);
    let ibans = ["DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606"];
    assert!(score(&sampled("t.f7", &ibans), "iban") >= FOUND);
    let cards = ["4111111111111112", "5500000000000005", "340000000000000"];
    assert!(score(&sampled("t.card_number", &cards), "credit_card") >= FOUND, "made-up numbers do not refute the name");
}

#[test]
fn values_speak_against_a_name() {
    let templates = ["welcome", "goodbye", "reset", "invoice"];
    assert!(score(&sampled("t.email", &templates), "email") < FOUND);
    assert!(score(&sampled("t.first_name", &["1", "2", "3", "4"]), "first_name") < FOUND);
}

#[test]
fn numbers_with_a_right_check_digit_by_chance_are_no_cards() {
    let numbers: Vec<String> = (0..200u64).map(|n| (4_000_000_000_000_000 + n * 7_919_131).to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    assert!(numbers.iter().any(|number| mask::known::is_valid("card", number)), "some pass by chance");
    assert!(score(&sampled("t.id:integer", &numbers), "credit_card") < FOUND);
    assert!(wilson(1, 10, 1.96) < 0.1 && wilson(100, 100, 1.96) > 0.95);
}

#[test]
fn paths_of_documents_are_judged_one_by_one() {
    let facts = facts("t.profile:json");
    let mut sample = Sample::new(&facts);
    for n in 0..5 {
        sample
            .push(Some(&format!(r#"{{"contact": {{"email": "a{n}@example.org"}}, "theme": "dark", "visits": {n}}}"#)));
    }
    let paths: Vec<(String, String)> = sample
        .path_findings(&facts)
        .0
        .into_iter()
        .map(|(path, finding)| (path, finding.category.name.clone()))
        .collect();
    assert_eq!(paths, [("$.contact.email".to_owned(), "email".to_owned())]);
    assert!(score(&sample.findings(&facts), "email") >= FOUND);
}

#[test]
fn keys_that_are_values_are_not_shown_and_what_stands_below_them_is_judged_together() {
    let facts = facts("t.profile:json");
    let paths_of = |key: fn(usize) -> &'static str| {
        let mut sample = Sample::new(&facts);
        (0..12).for_each(|n| sample.push(Some(&format!(r#"{{"{}": {{"email": "a{n}@example.org"}}}}"#, key(n)))));
        assert!(score(&sample.findings(&facts), "email") >= FOUND);
        let (found, persons) = sample.path_findings(&facts);
        let paths: Vec<String> = found.into_iter().map(|(path, _)| path).collect();
        (paths.join(" "), persons.contains("$"))
    };
    let any = |persons| ("$.*.email".to_owned(), persons);
    // Tokens, logins, last names, and names that no identifier can be; codes are nobody's.
    assert_eq!(paths_of(|n| ["K9fT2mXq7LpR4vZw8NcB1y", "qzq", "qzr", "qzs", "qzt", "qzu"][n % 6]), any(false));
    assert_eq!(paths_of(|n| ["okowalski", "asanchez", "qzq", "qzr"][n % 4]), any(true));
    assert_eq!(paths_of(|n| ["Kowalski", "Sanchez", "Adeyemi", "Ivanov"][n % 4]), any(true));
    assert_eq!(paths_of(|n| ["Linda Ivanov", "b.kim", "李娜", "qzr"][n % 4]), any(true));
    assert_eq!(paths_of(|n| ["SEK", "EUR", "ja_JP", "OH"][n % 4]), any(false));
    assert_eq!(paths_of(|n| ["ab@example.com", "b@example.com", "2024-01-02", "x y"][n % 4]), any(false));
    assert_eq!(paths_of(|_| "contact"), ("$.contact.email".to_owned(), false));
    // Fields, whatever they are called.
    assert_eq!(paths_of(|_| "sales"), ("$.sales.email".to_owned(), false));
    assert_eq!(paths_of(|_| "ja_JP"), ("$.ja_JP.email".to_owned(), false));
    // One key in one document, among fields: nothing is shown of it, and no `.*` means the fields as well.
    assert_eq!(paths_of(|n| if n == 3 { "qzq" } else { "contact" }), ("$.contact.email".to_owned(), false));
}

#[test]
fn names_of_fields_say_what_they_hold_where_one_document_has_them() {
    let facts = facts("t.profile:json");
    let mut sample = Sample::new(&facts);
    sample.push(Some(r#"{"smtp": {"password": "qz-4711", "host": "a"}, "size": 3}"#));
    assert!(score(&sample.findings(&facts), "password") >= FOUND);
    let paths: Vec<String> = sample.path_findings(&facts).0.into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["$.smtp.password"], "in few documents, what looks like a field");
    (0..5).for_each(|_| sample.push(Some(r#"{"theme": {"color": "red"}}"#)));
    assert!(sample.path_findings(&facts).0.is_empty(), "its keys are not shown");
    assert!(score(&sample.findings(&facts), "password") >= FOUND);
}

#[test]
fn one_phone_number_in_many_notes_is_enough() {
    let mut notes = vec!["the customer was happy with what we did for her"; 1];
    let many: Vec<String> =
        (0..100).map(|n| format!("order {n} came in late and the customer was not amused")).collect();
    notes.extend(many.iter().map(String::as_str));
    notes.push("please call her back under +1-415-555-0132 before noon");
    assert!(score(&sampled("t.x", &notes), "free_text") >= FOUND);
}

#[test]
fn codes_of_drugs_and_banks_are_no_phone_numbers() {
    let codes: Vec<String> = (0..50).map(|n| format!("{:05}-{:04}-{:02}", 2 + n * 31, 1000 + n * 17, n % 90)).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    assert!(score(&sampled("t.col1", &codes), "phone") < FOUND);
    let banks = ["021000021", "011401533", "026009593", "031201360", "063100277"];
    assert!(score(&sampled("t.col1", &banks), "phone") < FOUND);
    // The twin: numbers that are dialed are found under the same name.
    let phones = ["030 2312514", "0171 5550147", "+49 30 23125014", "089 5550132", "0221 555014"];
    assert!(score(&sampled("t.col1", &phones), "phone") >= FOUND);
}

#[test]
fn mobile_numbers_without_a_sign_are_found_where_they_are_all_and_not_counted() {
    let phone = |name: &str, number: &dyn Fn(u64) -> String| {
        let values: Vec<String> = (0..60).map(number).collect();
        score(&sampled(name, &values.iter().map(String::as_str).collect::<Vec<_>>()), "phone")
    };
    let german = |n: u64| format!("491{}{:08}", 51 + n % 9, (n * 76_543_217) % 100_000_000);
    let american = |n: u64| format!("1{}{}{:04}", 212 + n * 13 % 700, 223 + n * 31 % 700, n * 7919 % 10_000);
    for name in ["t.col1:integer", "t.col1", "t.ref"] {
        assert!(phone(name, &german) >= FOUND && phone(name, &american) >= FOUND, "{name}");
    }
    // The twins: counted from such a number on, half of them others, and too few.
    assert!(phone("t.col1:integer", &|n| (4_915_123_000_000 + n * 17).to_string()) < FOUND);
    assert!(
        phone("t.col1", &|n| if n % 2 == 0 { german(n) } else { (80_000_000_000 + n * 97_123_457).to_string() })
            < FOUND
    );
    let few: Vec<String> = (0..8).map(german).collect();
    assert!(score(&sampled("t.col1", &few.iter().map(String::as_str).collect::<Vec<_>>()), "phone") < FOUND);
}

#[test]
fn mobile_numbers_of_one_network_are_found_in_many_rows_and_counters_with_zeros_are_none() {
    let phone = |name: &str, number: &dyn Fn(u64) -> String| {
        let values: Vec<String> = (0..500).map(number).collect();
        score(&sampled(name, &values.iter().map(String::as_str).collect::<Vec<_>>()), "phone")
    };
    let german = |n: u64| format!("49151{:08}", (n * 61_803_399) % 100_000_000);
    assert!(phone("t.kennz:integer", &german) >= FOUND && phone("t.lfd:numeric", &german) >= FOUND);
    // The twin: a counter of ten million rows, of which a sample sees every twenty thousandth.
    assert!(phone("t.kennz:integer", &|n| (4_915_100_000_000 + n * 20_011).to_string()) < FOUND);
    let local = |n: u64| format!("0{}{:07}", 30 + n % 60, (n * 7_654_321) % 10_000_000);
    assert!(phone("t.ref", &local) >= FOUND);
    let eight = |n: u64| format!("{:08}", n + 1);
    let twelve = |n: u64| format!("{:012}", n + 1);
    let dialed = |n: u64| format!("0{:010}", 3_000_000_000 + n * 17);
    let book = |n: u64| format!("978-3-{:04}-{:04}-{}", 1_000 + n, n * 7 % 9_000 + 1_000, n % 10);
    let paper = |n: u64| format!("10.1000/{}", 1_000_000 + n * 13);
    for number in [&eight as &dyn Fn(u64) -> String, &twelve, &dialed, &book, &paper] {
        assert!(phone("t.ref", number) < FOUND, "{}", number(3));
    }
}

#[test]
fn four_numbers_under_a_version_are_no_address() {
    let values = ["10.4.12.1", "10.4.13.1", "10.5.0.1", "11.0.2.1"];
    assert!(score(&sampled("clients.ver", &values), "ip") < FOUND);
    assert!(score(&sampled("clients.addr_seen", &values), "ip") >= FOUND);
}

#[test]
fn values_that_may_tell_of_a_person_are_asked_about() {
    let asked = |name: &str, values: &[&str]| {
        let facts = facts(name);
        let mut sample = Sample::new(&facts);
        values.iter().for_each(|value| sample.push(Some(value)));
        sample.may_be_of_person(&facts)
    };
    for values in [
        &["Diabetes", "Burnout", "Schwangerschaft"][..],
        &["malattia", "104", "maternità"],
        &["SPD", "CDU", "none"],
        &["Hispanic", "White British", "Maori"],
        &["Sinti", "Kurdin", "-"],
        &["rk", "ev", "-"],
        &["röm.-kath.", "evang.", "vd"],
        &["GdB 50", "GdB 80", "-"],
        &["dor lombar", "enxaqueca", "insônia"],
        &["Rückenschmerzen", "Migräne", "Husten", "Kontrolle"],
        &["mal de dos", "fièvre", "toux"],
        &["back pain", "cough", "dizziness"],
        &["Male", "Female"],
        &["Herr", "Frau", "-"],
        &["Sr.", "Sra."],
        &["father", "mother"],
    ] {
        assert!(asked("t.grund", values), "{values:?}");
        assert!(!asked("products.label", values), "things are called so too: {values:?}");
    }
    for values in [
        &["open", "closed", "SPD"][..],
        &["conservative", "moderate", "bold"],
        &["white", "black", "Asian"],
        &["ev", "bev", "phev"],
        &["fr", "lt", "is", "de"],
        &["50 GB", "GdB"],
        &["Roma", "Milano"],
        &["pain complet", "pain de mie", "brioche"],
        &["parent", "child", "partner"],
        &["M", "F"],
        &["female connector", "male connector"],
        &["Netzstörung", "Beschwerde", "Anfrage"],
    ] {
        assert!(!asked("t.grund", values), "{values:?}");
    }
    // Letters say it of persons alone.
    assert!(asked("students.custom_20", &["M", "F", "N"]) && asked("patients.f1", &["m", "w", "d"]));
    assert!(!asked("students.custom_21", &["M", "L", "S"]) && !asked("courses.f1", &["M", "F", "N"]));
    let days: Vec<String> =
        (0..60).map(|n| format!("{}-{:02}-{:02}", 1940 + n * 7 % 65, 1 + n % 12, 1 + n * 11 % 28)).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    assert!(asked("t.d1:date", &days) && asked("t.d1", &days) && !asked("movies.d1:date", &days));
    let numbers: Vec<String> = days.iter().map(|day| day.replace('-', "")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    assert!(asked("t.d1:integer", &numbers));
    let made: Vec<String> = days.iter().map(|day| day.replacen("19", "20", 1)).collect();
    assert!(!asked("t.d1:date", &made.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn what_a_payment_service_calls_its_prices_by_is_no_secret() {
    // Twenty-three letters and digits of random order.
    let tail = |n: usize| {
        let letters = b"aQ3xZ8mKp1LwR5vT9nYb2HcD7eJsF4gUo6iN";
        (0..23).map(|at| char::from(letters[(n * 7 + at * (n + 5)) % letters.len()])).collect::<String>()
    };
    let most = |prefix: &str| {
        let values: Vec<String> = (0..12).map(|n| format!("{prefix}{}", tail(n))).collect();
        score(&sampled("t.ref", &values.iter().map(String::as_str).collect::<Vec<_>>()), "token")
    };
    assert_eq!(most("price_1"), 0.0);
    // The twins: of a customer, of nobody knows what, and one letter more.
    for prefix in ["cus_1", "", "prod_", "price_1a"] {
        assert!(most(prefix) > 0.0, "{prefix}");
    }
}

#[test]
fn two_columns_of_places_are_told_from_shares_and_measurements() {
    let column = |value: &dyn Fn(f64) -> f64| {
        let mut sample = Sample::new(&facts("t.x:float"));
        (0..40).for_each(|n| sample.push(Some(&format!("{:.6}", value(f64::from(n))))));
        sample
    };
    let (x, y) = (|n: f64| 7.1 + n * 0.137_911, |n: f64| 48.2 + n * 0.093_417);
    assert!(hold_places(&[column(&x), column(&y)]));
    // A meridian runs through London.
    assert!(hold_places(&[column(&|n| -0.4 + n * 0.013_711), column(&y)]));
    assert!(!hold_places(&[column(&x)]), "one number is no place");
    assert!(!hold_places(&[column(&|n| n * 0.013_711), column(&|n| n * 0.021_317)]), "shares");
    assert!(!hold_places(&[column(&|n| 100.1 + n * 7.131_713), column(&|n| 200.0 + n * 0.137_911)]), "too far");
    assert!(!hold_places(&[column(&x), column(&y), column(&x), column(&y), column(&x)]), "measurements");
    let cents = |n: u32| format!("{n}.99");
    let mut prices = Sample::new(&facts("t.x:numeric"));
    (0..40).for_each(|n| prices.push(Some(&cents(n))));
    assert!(!prices.may_be_place());
}

#[test]
fn cities_are_found_where_the_column_is_called_a_location() {
    let cities =
        ["Berlin", "Hamburg", "Chicago", "Boston", "Lyon", "Aachen", "Madrid", "Warszawa", "Kraków", "Stockholm"];
    assert!(score(&sampled("user_profiles.location", &cities), "city") >= FOUND);
    assert!(score(&sampled("t.location", &cities), "city") >= FOUND);
    // The twin: where a thing is.
    assert!(score(&sampled("files.location", &cities), "city") < FOUND);
    assert!(score(&sampled("t.location", &["Ward 3", "A101", "B204", "C310"]), "city") < FOUND);
}

#[test]
fn last_names_beside_what_comes_before_one_name_somebody() {
    let named = |values: &[&str]| {
        let facts = facts("t.col1");
        let mut sample = Sample::new(&facts);
        values.iter().for_each(|value| sample.push(Some(value)));
        sample.names_somebody()
    };
    for value in [
        "Fr. Krüger",
        "Ing.-Büro Steinmetz",
        "Consult Abernathy",
        "Vertretung: Hr. Krüger",
        "12B Vosswinkel/Torsten Mr",
        "3A ABERNATHY/ANKE",
        "iPhone von Torsten",
        "Torstens iPad",
        "Anke’s MacBook Pro",
    ] {
        assert!(named(&["active", value]), "{value}");
    }
    for value in [
        "Büro Berlin",
        "Praxis Status",
        "Consult Type",
        "in progress",
        "a Input/Output",
        "iPhone von Berlin",
        "Samsung Galaxy",
        "4 Order/Status Mr",
    ] {
        assert!(!named(&["active", value]), "{value}");
    }
}

#[test]
fn what_may_tell_of_health_or_belief_is_not_kept_for_few_values() {
    for name in [
        "members.krankenkasse",
        "t.party_membership",
        "t.fumeur:boolean",
        "t.poids_kg:numeric",
        "health_records.status_text",
        "t.kirchensteuer_text",
        "t.race",
        "t.is_smoker:boolean",
        "hum.gewicht:numeric",
        "hum.med",
        "t.konf",
        "student_medical.medical_date:date",
        "t.vaccinated_at:timestamp",
        "paciente.queixa_texto",
        "kv.num_val:numeric",
        "eav.value_float:float",
    ] {
        assert!(may_be_special(&facts(name)), "{name}");
    }
    for name in [
        "products.weight_kg:numeric",
        "orders.status",
        "t.disabled:boolean",
        "t.invalid_reason",
        "images.orientation",
        "t.third_party_name",
        "products.genre",
        "artikel.gewicht:numeric",
        "metrics.num_val:numeric",
        "t.value:numeric",
        "t.weight:integer",
        "orders.valuation_date:date",
        "student_medical.created_at:timestamp",
        "t.objective",
    ] {
        assert!(!may_be_special(&facts(name)), "{name}");
    }
}

#[test]
fn what_a_program_notes_is_told_by_name_and_type() {
    for name in [
        "users.created_at:timestamp",
        "users.remember_created_at:timestamp",
        "users.updated_on:date",
        "users.deletedAt:timestamp",
        "users.last_sign_in_at:timestamp",
        "users.sign_in_count:integer",
        "users.lock_version:integer",
        "tasks.position:integer",
        "users.active:boolean",
        "benutzer.geaendert_am:date",
        "ar.itime:timestamp",
    ] {
        assert!(is_of_program(&facts(name)), "{name}");
    }
    for name in [
        "users.born_at:timestamp",
        "users.born_on:date",
        "users.d1:date",
        "users.hired:date",
        "t.vaccinated_at:timestamp",
        "patients.pregnancies_count:integer",
        "users.pin:integer",
        "users.x1:integer",
        "users.created_at",
        "users.smoker:boolean",
        "t.salary:integer",
        "t.created_by:integer",
        "t.gender_count",
    ] {
        assert!(!is_of_program(&facts(name)), "{name}");
    }
}

#[test]
fn numbers_of_things_are_told_by_their_name_and_all_their_values() {
    let told = |name: &str, values: &[&str]| {
        let facts = facts(name);
        let mut sample = Sample::new(&facts);
        values.iter().for_each(|value| sample.push(Some(value)));
        sample.number_things(&facts)
    };
    let codes = ["RE-2024/0815", "RE-2024/0816", "4711", "INV 12"];
    for name in ["ar.invnumber", "oe.ordnumber", "parts.partnumber", "t.invoice_no", "t.rechnungsnummer", "t.orderNr"] {
        assert!(told(name, &codes), "{name}");
        assert!(!told(name, &["RE-2024/0815", "Meier-1"]) && !told(name, &["open"]) && !told(name, &[]), "{name}");
    }
    for name in ["t.number", "customers.customernumber", "t.case_no", "t.phone_number", "t.order", "t.ref"] {
        assert!(!told(name, &codes), "{name}");
    }
}

#[test]
fn accounts_of_a_ledger_are_no_bank_accounts() {
    assert!(score(&sampled("chart.accno", &["1000", "1200", "8400", "4930"]), "bank_account") < FOUND);
    assert!(score(&sampled("t.accno", &["532013000", "648489890", "1234567", "998877"]), "bank_account") >= FOUND);
}

#[test]
fn groups_of_nine_digits_do_not_speak_against_a_phone_and_books_are_no_patients() {
    let phones: Vec<String> = (0..60).map(|n| format!("6{:02} {:03} {:03}", n % 90, n * 7, n * 11)).collect();
    let phones: Vec<&str> = phones.iter().map(String::as_str).collect();
    assert!(score(&sampled("uczniowie.telefon_rodzica", &phones), "phone") >= FOUND);
    assert!(score(&sampled("t.amount", &phones), "phone") < FOUND);
    let books: Vec<String> = (0..60_u32).filter_map(|n| isbn(306_406_150 + n * 7919)).collect();
    let books: Vec<&str> = books.iter().map(String::as_str).collect();
    assert!(books.len() > 40 && score(&sampled("t.ref", &books), "national_id") < FOUND);
    assert!(score(&sampled("t.nhs_number", &books), "national_id") >= FOUND);
    let bics = ["40000001", "40000002", "40000003", "40000004"];
    assert!(score(&sampled("t.k_bic", &bics), "bank_account") < FOUND);
    assert!(score(&sampled("t.k_bic", &["DEUTDEFF", "COBADEFFXXX", "BYLADEM1"]), "bank_account") >= FOUND);
    let said = ["she/her", "he/him", "they/them", "er/ihm"];
    assert!(score(&sampled("users.pronouns", &said), "gender") >= FOUND);
    let months = ["January", "February", "March", "April", "May", "June", "July", "August"];
    assert!(score(&sampled("calendar.month_name", &months), "first_name") < FOUND);
}

/// Numbers of a kind that begin with these, with the last digits that make them valid.
fn numbered(kind: &str, bodies: impl Iterator<Item = String>, last: usize) -> Vec<String> {
    let ends = || (0..10_u32.pow(last as u32)).map(|end| format!("{end:0last$}"));
    bodies
        .filter_map(|body| ends().map(|end| format!("{body}{end}")).find(|number| mask::known::is_valid(kind, number)))
        .collect()
}

/// As a column of numbers has them.
fn without_zeros(numbers: &[String]) -> Vec<&str> {
    numbers.iter().map(|number| number.trim_start_matches('0')).collect()
}

#[test]
fn identifiers_are_found_in_columns_of_numbers_which_lose_zeros() {
    let bodies = |digits: usize| {
        let below = 10_u64.pow(digits as u32);
        (0..120_u64).map(move |n| format!("{:0digits$}", (n * 61_803_398_874 + 17) % below))
    };
    let births = |format: fn(u64, u64, u64, u64) -> String| {
        (0..120_u64).map(move |n| format(n % 10, 1 + n * 7 % 12, 1 + n * 11 % 28, n * 7919 % 1000))
    };
    let columns = [
        ("gb.nhs", numbered("gb.nhs", bodies(9), 1)),
        ("nl.bsn", numbered("nl.bsn", bodies(8), 1)),
        ("br.cpf", numbered("br.cpf", bodies(9), 2)),
        // Of people born in the first years of a century every number begins with a zero.
        ("pl.pesel", numbered("pl.pesel", births(|y, m, d, n| format!("0{y}{:02}{d:02}{n:04}", m + 20)), 1)),
        ("za.id", numbered("za.id", births(|y, m, d, n| format!("0{y}{m:02}{d:02}{n:04}08")), 1)),
    ];
    for (kind, numbers) in &columns {
        assert!(numbers.len() > 60, "{kind}: {}", numbers.len());
        let values = without_zeros(numbers);
        for name in ["t.x1:integer", "t.x1:numeric"] {
            let found = sampled(name, &values);
            assert!(score(&found, "national_id") >= FOUND, "{kind} as {name}: {found:?}");
        }
        // The twin: as many numbers whose last digit is another one.
        let wrong: Vec<String> =
            values.iter().map(|value| (value.parse::<u64>().expect("a number") ^ 1).to_string()).collect();
        let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
        assert!(score(&sampled("t.x1:integer", &wrong), "national_id") < FOUND, "{kind}");
        assert!(!asked("t.x1:integer", &wrong), "{kind}");
    }
    assert!(score(&sampled("patient.chi:integer", &without_zeros(&columns[0].1)), "national_id") >= FOUND);
}

/// Whether somebody is asked about a column.
fn asked(name: &str, values: &[&str]) -> bool {
    let facts = facts(name);
    let mut sample = Sample::new(&facts);
    values.iter().for_each(|value| sample.push(Some(value)));
    sample.may_be_of_person(&facts)
}

#[test]
fn numbers_that_only_may_stand_for_persons_are_asked_about() {
    let bodies = |digits: usize| {
        let below = 10_u64.pow(digits as u32);
        (0..120_u64).map(move |n| format!("{:0digits$}", (n * 61_803_398_874 + 17) % below))
    };
    for (kind, digits) in [("gb.nhs", 9), ("ca.sin", 8), ("au.tfn", 8)] {
        let numbers = numbered(kind, bodies(digits), 1);
        let values: Vec<&str> = numbers.iter().map(String::as_str).collect();
        assert!(values.len() > 60, "{kind}: {}", values.len());
        assert!(asked("t.ref", &values), "{kind}");
        assert!(kind == "gb.nhs" || asked("t.ref:integer", &without_zeros(&numbers)), "{kind}");
        assert!(!asked("books.ref", &values) && !asked("t.isbn10", &values), "{kind}: so are books");
        let counted: Vec<String> = (0..120).map(|n| (700_000_000 + n * 7).to_string()).collect();
        assert!(!asked("t.ref:integer", &counted.iter().map(String::as_str).collect::<Vec<_>>()), "{kind}");
    }
    let days = (0..120_u64)
        .map(|n| format!("{:02}{:02}{:02}{:04}", 1 + n * 11 % 28, 1 + n * 7 % 12, n % 100, n * 7919 % 10_000));
    let days: Vec<String> = days.collect();
    assert!(asked("t.ref", &days.iter().map(String::as_str).collect::<Vec<_>>()), "days of birth and a number");
    // Phones at home and in the pocket; the twins: half of them others, those that count, and of any country.
    let phones: Vec<String> = (0..120_u64)
        .map(|n| match n % 3 {
            0 => format!("49521{:06}", n * 61_803 % 1_000_000),
            1 => format!("336{:08}", n * 61_803_399 % 100_000_000),
            _ => format!("447911{:06}", n * 61_803 % 1_000_000),
        })
        .collect();
    let phones: Vec<&str> = phones.iter().map(String::as_str).collect();
    assert!(asked("t.a5:integer", &phones) && asked("t.a5:numeric", &phones));
    let counted: Vec<String> = (0..120).map(|n| (49_521_000_000_u64 + n * 17).to_string()).collect();
    assert!(!asked("t.a5:integer", &counted.iter().map(String::as_str).collect::<Vec<_>>()));
    let orders: Vec<String> = (0..120).map(|n| (4_500_000_001_u64 + n * 20_011).to_string()).collect();
    assert!(!asked("t.a5:integer", &orders.iter().map(String::as_str).collect::<Vec<_>>()));
    let any: Vec<String> =
        (0..120_u64).map(|n| (10_000_000_000 + n * 618_033_988_749 % 90_000_000_000).to_string()).collect();
    assert!(!asked("t.a5:integer", &any.iter().map(String::as_str).collect::<Vec<_>>()));
}

/// Nine digits and the check digit of a book; none where it would be an X.
fn isbn(body: u32) -> Option<String> {
    let body = format!("{body:09}");
    let sum: u32 = body.bytes().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let check = (11 - sum % 11) % 11;
    (check < 10).then(|| format!("{body}{check}"))
}

#[test]
fn evidence_holds_no_value() {
    let secret = "canary-7391@example.org";
    let findings = sampled("t.profile:json", &[&format!(r#"{{"{secret}": "{secret}", "mail": "{secret}"}}"#)]);
    assert!(!findings.is_empty() && !format!("{findings:?}").contains("canary"), "{findings:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// A panic would quote the value.
    #[test]
    fn any_text_can_be_looked_at(values in proptest::collection::vec("\\PC{0,40}|[0-9ü.<>/=\"{}\\[\\]: @-]{0,24}", 1..6)) {
        for name in ["t.x", "t.x:json", "t.x:integer", "t.x:date", "t.ü_name"] {
            let facts = facts(name);
            let mut sample = Sample::new(&facts);
            values.iter().for_each(|value| sample.push(Some(value)));
            sample.findings(&facts);
        }
    }
}
