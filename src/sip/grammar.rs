//! The basic rules of RFC 3261 §25.1 that header values share.

/// Whether `c` may stand in a token (RFC 3261 §25.1).
pub(crate) fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c)
}

/// Whether `text` is a token (RFC 3261 §25.1): method, header name, parameter name.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

/// Without the white space around it; line ends in a head are spaces by now.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Splits at each `separator` that stands neither in a quoted string nor between `<` and `>`.
///
/// `None`: a quoted string or an angle bracket is not closed, or a bracket is not opened.
pub(crate) fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if quoted {
            match c {
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
        } else if bracketed {
            match c {
                '>' => bracketed = false,
                '<' => return None,
                _ => {}
            }
        } else if c == separator {
            parts.push(text.get(start..at)?);
            start = at + c.len_utf8();
        } else {
            match c {
                '"' => quoted = true,
                '<' => bracketed = true,
                '>' => return None,
                _ => {}
            }
        }
    }
    if quoted || bracketed {
        return None;
    }
    parts.push(text.get(start..)?);
    Some(parts)
}

/// What a quoted string says (RFC 3261 §25.1): without quotes and escapes.
///
/// `None`: it is not one whole quoted string.
pub(crate) fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut said = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => said.push(chars.next()?),
            '"' => return None,
            _ => said.push(c),
        }
    }
    Some(said)
}

/// `text` as a quoted string (RFC 3261 §25.1), its quotes and backslashes escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Whether `text` could end a line or a message early: CR, LF or NUL.
pub(crate) fn breaks_line(text: &str) -> bool {
    text.contains(['\r', '\n', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotes_and_brackets_do_not_split() {
        let text = r#""a, \"b" <sip:a,b@c>;x="1,2", <sip:d>"#;
        assert_eq!(
            split(text, ','),
            Some(vec![r#""a, \"b" <sip:a,b@c>;x="1,2""#, " <sip:d>"])
        );
    }

    #[test]
    fn open_quotes_and_brackets_are_refused() {
        for text in [r#""open"#, r#""open\""#, "<open", "shut>", "<a<b>"] {
            assert_eq!(split(text, ','), None, "{text}");
        }
    }

    #[test]
    fn a_quoted_string_says_what_was_put_into_it() {
        for text in ["", "plain", r#"with "quotes" and \ backslash"#] {
            assert_eq!(unquote(&quote(text)).as_deref(), Some(text));
        }
        assert_eq!(unquote(r#""a"b""#), None);
        assert_eq!(unquote(r#""a\""#), None);
    }
}
