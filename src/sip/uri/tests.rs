use proptest::prelude::*;

use super::*;

fn uri(text: &str) -> Uri {
    Uri::parse(text).expect("readable")
}

#[test]
fn parts_are_where_they_belong() {
    let uri = uri("sip:john.doe:pw@sub.example.com:5070;transport=tls;lr?Replaces=a%40b&x=");
    assert_eq!(uri.scheme(), Scheme::Sip);
    assert_eq!(uri.user(), Some("john.doe"));
    assert_eq!(uri.password(), Some("pw"));
    assert_eq!((uri.host(), uri.port()), ("sub.example.com", Some(5070)));
    assert_eq!(uri.param("Transport"), Some("tls"));
    assert!(uri.is_loose_router());
    let headers: Vec<_> = uri.headers().collect();
    assert_eq!(headers, [("Replaces", Some("a%40b")), ("x", Some(""))]);
}

#[test]
fn ipv6_hosts_are_read_with_their_brackets() {
    let uri = uri("sips:bob@[2001:db8::1]:5061;lr");
    assert_eq!((uri.host(), uri.port()), ("[2001:db8::1]", Some(5061)));
    assert_eq!(uri.host_ip(), "2001:db8::1".parse().ok());
    assert_eq!(Uri::parse("sip:[2001:db8::1").err(), Some(UriError::Host));
    assert_eq!(
        Uri::parse("sip:[not-an-address]").err(),
        Some(UriError::Host)
    );
    assert_eq!(Uri::parse("sip:[::1]x").err(), Some(UriError::Host));
}

#[test]
fn telephone_numbers_are_users_of_no_host() {
    let uri = uri("tel:+44-1632-960000;phone-context=example.com");
    assert_eq!(uri.scheme(), Scheme::Tel);
    assert_eq!(uri.user(), Some("+44-1632-960000"));
    assert_eq!(uri.host(), "");
    assert_eq!(uri.param("phone-context"), Some("example.com"));
    assert!(Uri::parse("tel:*21*0163%23").is_ok());
    for text in ["tel:;x", "tel:+", "tel:abc-xyz"] {
        assert_eq!(Uri::parse(text).err(), Some(UriError::User), "{text}");
    }
}

#[test]
fn nothing_changes_on_the_way() {
    for text in [
        "SIP:%2B1415@H.example;Transport=tls",
        "sip:%23*72@h",
        "sip:h?a=b",
        "sip:user;par=u%40h@example.com",
        "urn:service:sos",
        "http://www.example.com/a?b",
    ] {
        assert_eq!(uri(text).to_string(), text);
    }
}

#[test]
fn what_is_no_uri_is_refused_for_its_reason() {
    let cases = [
        ("", UriError::Scheme),
        ("sip:", UriError::Scheme),
        ("example.com", UriError::Scheme),
        ("1sip:a@b", UriError::Scheme),
        ("sip:a b@c", UriError::Character),
        ("<sip:a@b>", UriError::Character),
        ("sip:a\r\nb@c", UriError::Character),
        ("sip:%4@b", UriError::Escape),
        ("sip:a%", UriError::Escape),
        ("sip:@b", UriError::User),
        ("sip::p@b", UriError::User),
        ("sip:a@", UriError::Host),
        ("sip:a@b@c", UriError::Host),
        ("sip:a@;lr", UriError::Host),
        ("sip:a@b:", UriError::Port),
        ("sip:a@b:0", UriError::Port),
        ("sip:a@b:65536", UriError::Port),
        ("sip:a@b:000080", UriError::Port),
        ("sip:a@b:+80", UriError::Port),
    ];
    for (text, reason) in cases {
        assert_eq!(Uri::parse(text).err(), Some(reason), "{text}");
    }
}

#[test]
fn unescaping_gives_no_control_characters() {
    assert_eq!(
        uri("sip:a%0D%0ab@h").unescaped_user().as_deref(),
        Some("a%0D%0ab")
    );
    assert_eq!(uri("sip:%C3%A9@h").unescaped_user().as_deref(), Some("é"));
    assert_eq!(uri("sip:%FF@h").unescaped_user().as_deref(), Some("%FF"));
}

proptest! {
    #[test]
    fn any_user_comes_back_as_it_was_put_in(user in "[^\\p{Cc}]{1,40}") {
        let uri = Uri::sip(Some(&user), "example.com", Some(5060)).expect("made");
        prop_assert_eq!(uri.unescaped_user(), Some(user));
        prop_assert_eq!(uri.host(), "example.com");
        prop_assert_eq!(uri.port(), Some(5060));
    }

    #[test]
    fn any_text_that_is_read_is_printed_as_it_came(text in "(sips?|tel|SIP):[ -~]{0,60}") {
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert_eq!(uri.as_str(), text.as_str());
            prop_assert!(uri.scheme() == Scheme::Tel || !uri.host().is_empty());
        }
    }
}
