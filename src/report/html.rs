//! Text that becomes HTML: markup of ours, which is constant, and everything else, which is escaped. There is no third way
//! in, so a table that is called `<script>` is a name.

use std::fmt::Write as _;

/// A piece of a page under construction.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup of ours.
    pub fn tag(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Any text, as content or within a quoted attribute.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(c),
                // Names may hold anything; what cannot be seen, or turns the direction of what follows, is shown as a code.
                c if c.is_control()
                    || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
                {
                    let _ = write!(self.0, "\\u{{{:x}}}", u32::from(c));
                }
                c => self.0.push(c),
            }
        }
        self
    }

    /// A number of a drawing, with one digit after the point.
    pub fn number(&mut self, number: f64) -> &mut Self {
        let number = if number.is_finite() { number } else { 0.0 };
        let text = format!("{number:.1}");
        self.0.push_str(text.strip_suffix(".0").unwrap_or(&text));
        self
    }

    pub fn add(&mut self, piece: Html) -> &mut Self {
        self.0.push_str(&piece.0);
        self
    }

    pub fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Html;

    #[test]
    fn whatever_a_name_holds_it_stays_a_name() {
        let mut html = Html::default();
        html.tag("<td title=\"").text("\" onload='x' <script>&").tag("\">").text("a\u{202e}b\u{0}\n");
        assert_eq!(html.finish(), "<td title=\"&quot; onload=&#39;x&#39; &lt;script&gt;&amp;\">a\\u{202e}b\\u{0}\n");
    }

    #[test]
    fn numbers_are_short_and_never_break_a_drawing() {
        let mut html = Html::default();
        html.number(3.0).tag(" ").number(0.25).tag(" ").number(f64::NAN);
        assert_eq!(html.finish(), "3 0.2 0");
    }
}
