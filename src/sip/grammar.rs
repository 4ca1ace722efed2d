//! The basic rules of RFC 3261 §25.1 that header values share.

/// Whether `byte` may stand in a token (RFC 3261 §25.1).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

/// Whether `text` is a token (RFC 3261 §25.1): method, header name, parameter name.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Without the white space around it; line ends in a head are spaces by now.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Cuts at the first `separator` that stands neither in a quoted string nor between `<` and `>`:
/// what is before it, and what is behind it when there is one.
///
/// `None`: before it, a quoted string or an angle bracket is not closed, or a bracket is not opened.
pub(crate) fn cut(text: &str, separator: u8) -> Option<(&str, Option<&str>)> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            match byte {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if bracketed {
            match byte {
                b'>' => bracketed = false,
                b'<' => return None,
                _ => {}
            }
        } else if byte == separator {
            return Some((text.get(..at)?, text.get(at + 1..)));
        } else {
            match byte {
                b'"' => quoted = true,
                b'<' => bracketed = true,
                b'>' => return None,
                _ => {}
            }
        }
    }
    (!quoted && !bracketed).then_some((text, None))
}

/// All pieces between the separators at which [`cut`] cuts; `None` is the last when it finds none.
pub(crate) fn pieces(text: &str, separator: u8) -> impl Iterator<Item = Option<&str>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let cut = cut(rest?, separator);
        rest = cut.and_then(|(_, rest)| rest);
        Some(cut.map(|(piece, _)| piece))
    })
}

/// Splits at each `separator` that stands neither in a quoted string nor between `<` and `>`.
///
/// `None`: a quoted string or an angle bracket is not closed, or a bracket is not opened.
pub(crate) fn split(text: &str, separator: u8) -> Option<Vec<&str>> {
    pieces(text, separator).collect()
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
    text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotes_and_brackets_do_not_split() {
        let text = r#""a, \"b" <sip:a,b@c>;x="1,2", <sip:d>"#;
        assert_eq!(
            split(text, b','),
            Some(vec![r#""a, \"b" <sip:a,b@c>;x="1,2""#, " <sip:d>"])
        );
    }

    #[test]
    fn open_quotes_and_brackets_are_refused() {
        for text in [r#""open"#, r#""open\""#, "<open", "shut>", "<a<b>"] {
            assert_eq!(split(text, b','), None, "{text}");
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
