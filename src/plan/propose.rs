//! The line to paste for an undecided column.

use super::Policy;
use super::graph::{Graph, Node};
use crate::error::Report;
use crate::mask::{self, Shape};

/// Parts of column names and the kind each one suggests; the first that is found wins.
const BY_NAME: &[(&[&str], &str)] = &[
    (&["email", "e_mail", "mail_address"], "email"),
    (&["password", "passwd", "pwhash", "pw_hash"], "secret.password"),
    (&["token", "secret", "api_key", "apikey"], "secret.token"),
    (&["first_name", "firstname", "given_name", "forename"], "name.first"),
    (&["last_name", "lastname", "surname", "family_name"], "name.last"),
    (&["full_name", "fullname", "display_name", "contact_name", "customer_name"], "name.full"),
    (&["username", "user_name", "login", "nickname"], "username"),
    (&["phone", "mobile", "telefon", "fax"], "phone"),
    (&["iban"], "iban"),
    (&["ssn", "social_security"], "us.ssn"),
    (&["bsn", "burgerservicenummer"], "nl.bsn"),
    (&["codice_fiscale", "codicefiscale"], "it.cf"),
    (&["pesel"], "pl.pesel"),
    (&["personnummer"], "se.pnr"),
    (&["hetu", "henkilotunnus"], "fi.hetu"),
    (&["fodselsnummer"], "no.fnr"),
    (&["cpf"], "br.cpf"),
    (&["cnpj"], "br.cnpj"),
    (&["aadhaar"], "in.aadhaar"),
    (&["nhs_number", "nhs_no"], "gb.nhs"),
    (&["nino", "national_insurance"], "gb.nino"),
    (&["steuer_id", "steuerid"], "de.idnr"),
    (&["dni"], "es.dni"),
    (&["nie"], "es.nie"),
    (&["mac", "mac_address", "mac_addr", "macaddr"], "mac"),
    (&["card_number", "cardno", "credit_card", "pan"], "card"),
    (&["ip_address", "ip_addr", "remote_addr", "client_ip"], "ip"),
    (&["birth", "dob", "born_on"], "date.shift"),
    (&["street", "address"], "address"),
    (&["zip", "postcode", "postal_code"], "zip"),
    (&["company", "employer"], "company"),
    (&["user_agent", "useragent"], "ua"),
    (&["url", "website", "homepage"], "url"),
    (&["notes", "comment", "message", "body", "description"], "text.spans"),
];

/// Reports a column without decision, with the line to paste.
pub(super) fn undecided(graph: &Graph<'_>, policy: &Policy<'_>, node: Node) -> Report {
    let column = &graph.nodes[node];
    let table = &graph.groups[column.group].root;
    let full_name = table.full_name();
    let header = format!("[tables.\"{}\".columns]", escape(&full_name));
    let existing = policy.rules.iter().find(|rule| rule.pattern == full_name);
    let line = format!("{} = {}", key(&column.column.name), proposal(graph, node));
    let hint = match existing {
        Some(rule) => format!("Add under {header} ({}):\n{line}", super::place(&rule.place)),
        None => format!("Add\n{header}\n{line}"),
    };
    let mut report = Report::new(
        "plan::undecided-column",
        format!("column \"{full_name}.{}\" has no masking decision", column.column.name),
    )
    .hint(hint);
    let referencing = graph.edges_to[column.group]
        .iter()
        .flat_map(|edge| &graph.edges[*edge].pairs)
        .filter(|(_, to)| *to == node)
        .count();
    if referencing > 0 {
        report = report.detail(format!("{referencing} column(s) that reference it follow its decision."));
    } else if column.not_null && policy.undecided == crate::config::Undecided::Null {
        report = report.detail("It is NOT NULL, so `undecided = \"null\"` cannot decide it.");
    } else if !table.inherits.is_empty() {
        report = report.detail("The table inherits from another one; each table decides its own columns.");
    }
    report
}

/// A decision in TOML, by the column's name and type.
pub(super) fn proposal(graph: &Graph<'_>, node: Node) -> String {
    let column = &graph.nodes[node];
    let name = column.column.name.to_lowercase();
    if let Some(shape) = &column.shape {
        let words = BY_NAME.iter().filter(|(parts, _)| parts.iter().any(|part| names(&name, part)));
        for (_, word) in words {
            let Some(kind) = mask::kind(word).filter(|kind| kind.takes(shape)) else { continue };
            if !kind.needs_subject {
                return format!("\"{word}\"");
            }
            if let Some(subject) = subject(graph, column.group, node) {
                return format!("{{ mask = \"{word}\", subject = \"{}\" }}", escape(&subject));
            }
        }
        if matches!(shape, Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Uuid) {
            return "{ keep = \"technical key, names nobody outside\" }".to_owned();
        }
    }
    "{ keep = \"why it is safe\" }".to_owned()
}

/// Whether a column name has a part: at a word boundary, so that `company` does not show a `pan`.
fn names(name: &str, part: &str) -> bool {
    name.match_indices(part).any(|(at, _)| {
        let free = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphabetic());
        let bytes = name.as_bytes();
        free(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && (part.len() > 3 || free(bytes.get(at + part.len())))
    })
}

/// The anchor of a row: the one column of the primary key, else the first column of a foreign key.
pub(super) fn subject(graph: &Graph<'_>, group: usize, but: Node) -> Option<String> {
    let uniques = &graph.groups[group].uniques;
    let primary = uniques.iter().find(|index| index.primary && index.columns.len() == 1 && index.columns[0] != 0);
    let key = primary.and_then(|index| graph.node_at(index.table, index.columns[0]));
    let reference = || graph.edges_from[group].first().map(|edge| graph.edges[*edge].pairs[0].0);
    let node = key
        .or_else(reference)
        .filter(|node| *node != but && graph.nodes[*node].shape.as_ref().is_some_and(Shape::names_subjects))?;
    Some(graph.nodes[node].column.name.clone())
}

/// A column name as TOML key.
pub(super) fn key(name: &str) -> String {
    let bare = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_' || symbol == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { format!("\"{}\"", escape(name)) }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
