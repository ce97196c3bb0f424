//! Browsers: `ua/1`.
//!
//! Construction: the user agent is drawn from the weighted list `any/user_agent.tsv` with word 0 of
//! `xof(K_dom, 2, value)`. Nothing of the value stays, because rare agents point at single people.

use super::dict::USER_AGENT;
use super::key::DomainKey;
use super::leaf::{At, TEXT, TextKind, TextMask};
use super::token::{Purpose, word};
use super::{Injective, Kind, chars};

pub(super) static UA: Kind = Kind {
    name: "ua",
    remains: |_| super::Remains::Chance,
    summary: "Replaces user agents by common ones; equal agents stay equal",
    injective: Injective::No,
    samples: &["Mozilla/5.0 (X11; Fedora; Linux ppc64le; rv:60.0) Gecko/20100101 Firefox/60.0"],
    least: |_| vec![USER_AGENT.values().map(chars).max().unwrap_or(0)],
    compile: |compile| TextMask::boxed(compile, Agent { key: compile.realm.domain("ua/1", &compile.spec.label) }),
    ..TEXT
};

struct Agent {
    key: DomainKey,
}

impl TextKind for Agent {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        out.push_str(USER_AGENT.draw(word(&self.key.hash(Purpose::Stream, value.as_bytes()), 0)));
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MasterKey, Params, mask_value};

    #[test]
    fn agents_are_drawn_from_the_list_and_equal_ones_stay_equal() {
        let realm = MasterKey::test().realm("default");
        let one = |value: &str| mask_value(&realm, "ua", "", Params::new(), None, value).unwrap().unwrap();
        let masks: std::collections::HashSet<String> = (0..500).map(|i| one(&format!("Agent/{i}"))).collect();
        assert!(masks.len() > 20 && masks.iter().all(|mask| USER_AGENT.values().any(|agent| agent == mask)));
        assert_eq!(one("Agent/1"), one("Agent/1"));
        assert_eq!(
            one("curl/7.1"),
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
        );
    }
}
