//! The 49 messages of RFC 4475, each by the short name that the RFC gives it: what is valid is
//! taken, what is not is refused with the status that the RFC wants.
#![expect(clippy::expect_used, reason = "a test fails by it")]

use std::path::Path;

use strowger_sip::digest::{Credentials, DigestError};
use strowger_sip::inspection::{Abilities, Refusal, inspect};
use strowger_sip::message::ResponseBuilder;
use strowger_sip::reader::{Frame, Framer, Message, Problem, Unreadable, read};
use strowger_sip::uri::Scheme;

/// What a telephone can do that registers nobody.
const TELEPHONE: Abilities = Abilities {
    methods: &["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"],
    extensions: &["timer"],
    bodies: &["application/sdp"],
};

/// What a registrar can do.
const REGISTRAR: Abilities = Abilities {
    methods: &["REGISTER"],
    extensions: &[],
    bodies: &[],
};

fn bytes(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name).with_extension("sip")).expect("fixture is there")
}

/// The message is readable, and so is what we answer to it.
fn taken(name: &str) -> Message {
    let message = match read(&bytes(name)) {
        Ok(message) => message,
        Err(unreadable) => panic!("{name} is refused: {unreadable:?}"),
    };
    if message.is_request() {
        let answer = ResponseBuilder::new(&message, 200)
            .to_tag("ours")
            .build()
            .expect("printable");
        let answer = read(&answer).expect("our answer is readable");
        assert_eq!(answer.status(), Some(200));
        assert_eq!(answer.call_id(), message.call_id());
        assert_eq!(answer.cseq(), message.cseq());
        assert_eq!(answer.from(), message.from());
        assert!(answer.vias().eq(message.vias()));
        assert!(answer.to().tag().is_some());
    }
    message
}

/// The request is not readable, and is answered with that status.
fn refused(name: &str, status: u16) -> Problem {
    let unreadable = match read(&bytes(name)) {
        Ok(message) => panic!("{name} is taken: {message:?}"),
        Err(unreadable) => unreadable,
    };
    assert_eq!(
        unreadable.status, status,
        "{name}: {:?}",
        unreadable.problem
    );
    let answer = ResponseBuilder::to_unreadable(&unreadable)
        .expect("there is somebody to answer")
        .to_tag("ours")
        .build()
        .expect("printable");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(
        answer.starts_with(&format!("SIP/2.0 {status} ")),
        "{answer}"
    );
    assert!(answer.contains("\r\nVia: SIP/2.0/"), "{answer}");
    unreadable.problem
}

/// The message is not readable, and must not be answered.
fn dropped(name: &str) -> Problem {
    match read(&bytes(name)) {
        Ok(message) => panic!("{name} is taken: {message:?}"),
        Err(Unreadable {
            problem,
            request: None,
            ..
        }) => problem,
        Err(unreadable) => panic!("{name} would be answered: {unreadable:?}"),
    }
}

/// The request is readable, but this server refuses it.
fn objected(name: &str, abilities: &Abilities) -> Refusal {
    let message = taken(name);
    match inspect(&message, abilities) {
        Ok(()) => panic!("{name} is not refused"),
        Err(refusal) => refusal,
    }
}

fn has_unreadable(problem: &Problem, name: &str) -> bool {
    matches!(problem, Problem::Field { field, .. } if *field == name)
}

// 3.1.1 Valid messages

#[test]
fn wsinv_white_space_everywhere_is_taken() {
    let message = taken("wsinv");
    assert_eq!(message.method(), "INVITE");
    assert_eq!(message.to().tag(), Some("1918181833n"));
    assert_eq!(message.from().display(), Some(r#"J Rosenberg \""#));
    assert_eq!(message.from().tag(), Some("98asjd8"));
    assert_eq!(message.max_forwards(), Some(68));
    assert_eq!(message.cseq().number, 9);
    let vias: Vec<_> = message
        .vias()
        .map(|via| (via.transport(), via.host(), via.branch()))
        .collect();
    assert_eq!(
        vias,
        [
            ("UDP", "192.0.2.2", Some("390skdjuw")),
            ("TCP", "spindle.example.com", Some("z9hG4bK9ikj8")),
            ("UDP", "192.168.255.111", Some("z9hG4bK30239")),
        ]
    );
    assert_eq!(message.header("Subject").as_deref(), Some(""));
    assert_eq!(message.routes().len(), 1);
    assert_eq!(message.contacts().len(), 1);
    assert_eq!(
        message.header("NewFangledHeader").as_deref(),
        Some("newfangled value   continued newfangled value")
    );
    assert_eq!(message.body().len(), 150);
}

#[test]
fn intmeth_a_wide_range_of_characters_is_taken() {
    let message = taken("intmeth");
    assert_eq!(
        message.method(),
        "!interesting-Method0123456789_*+`.%indeed'~"
    );
    let uri = message.request_uri().expect("request");
    assert_eq!(uri.host(), "example.com");
    assert_eq!(
        uri.user(),
        Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    );
    assert_eq!(
        uri.password(),
        Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
    );
    assert_eq!(message.to().display(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    assert_eq!(message.from().tag(), Some("_token~1'+`*%!-."));
    assert_eq!(
        message.from().display(),
        Some("token1~` token2'+_ token3*%!.-")
    );
    assert_eq!(
        message.header("extensionHeader-!.%*+_`'~").as_deref(),
        Some("\u{feff}大停電")
    );
    let refusal = inspect(&message, &TELEPHONE).expect_err("nobody knows this method");
    assert_eq!(refusal.status, 501);
}

#[test]
fn esc01_escapes_are_taken_and_kept() {
    let message = taken("esc01");
    let uri = message.request_uri().expect("request");
    assert_eq!(uri.user(), Some("sips%3Auser%40example.com"));
    assert_eq!(
        uri.unescaped_user().as_deref(),
        Some("sips:user@example.com")
    );
    assert_eq!(uri.host(), "example.net");
    assert_eq!(message.to().uri().unescaped_user().as_deref(), Some("user"));
    assert_eq!(
        message.from().uri().unescaped_user().as_deref(),
        Some("I have spaces")
    );
    let contact = message.contacts().first().expect("contact");
    assert_eq!(
        contact.as_str(),
        "<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>"
    );
    assert_eq!(contact.uri().param("n%61me"), Some("v%61lue%25%34%31"));
    assert!(!contact.uri().is_loose_router());
}

#[test]
fn escnull_escaped_nulls_are_taken_and_stay_escaped() {
    let message = taken("escnull");
    assert_eq!(
        message.to().uri().unescaped_user().as_deref(),
        Some("null-%00-null")
    );
    assert_eq!(message.contacts().len(), 2);
}

#[test]
fn esc02_percent_signs_that_escape_nothing_are_taken() {
    let message = taken("esc02");
    assert_eq!(message.method(), "RE%47IST%45R");
    assert_eq!(message.to().display(), Some("%Z%45"));
    assert_eq!(message.via().branch(), Some("z9hG4bK209%fzsnel234"));
    assert_eq!(message.contacts().len(), 2);
    assert_eq!(
        message.header("C%6Fntact").as_deref(),
        Some("<sip:alias2@host2.example.com>")
    );
    assert_eq!(objected("esc02", &REGISTRAR).status, 501);
}

#[test]
fn lwsdisp_no_space_before_the_bracket_is_taken() {
    let message = taken("lwsdisp");
    assert_eq!(message.from().display(), Some("caller"));
    assert_eq!(message.from().tag(), Some("323"));
}

#[test]
fn longreq_long_values_are_taken() {
    let message = taken("longreq");
    assert_eq!(message.to().uri().port(), Some(6000));
    assert_eq!(message.from().tag().map(str::len), Some(155));
    assert_eq!(message.vias().count(), 34);
    assert_eq!(message.contacts().len(), 1);
    assert_eq!(message.body().len(), 150);
}

#[test]
fn dblreq_surplus_is_ignored_in_a_datagram() {
    let message = taken("dblreq");
    assert_eq!(message.method(), "REGISTER");
    assert_eq!(message.body().len(), 0);
}

#[test]
fn dblreq_is_two_requests_in_a_stream() {
    let mut framer = Framer::new();
    framer.push(&bytes("dblreq"));
    let mut methods = Vec::new();
    while methods.len() < 2 {
        match framer.next_frame() {
            Some(Frame::Message(bytes)) => {
                methods.push(read(&bytes).expect("readable").method().to_owned());
            }
            Some(Frame::Ping) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(methods, ["REGISTER", "INVITE"]);
}

#[test]
fn semiuri_semicolons_in_the_user_part_are_taken() {
    let message = taken("semiuri");
    let uri = message.request_uri().expect("request");
    assert_eq!(uri.user(), Some("user;par=u%40example.net"));
    assert_eq!(uri.host(), "example.com");
    assert_eq!(message.header_list("Accept").len(), 6);
    assert_eq!(inspect(&message, &TELEPHONE), Ok(()));
}

#[test]
fn transports_unknown_ones_in_lower_vias_are_taken() {
    let message = taken("transports");
    let transports: Vec<_> = message
        .vias()
        .map(|via| via.transport().to_owned())
        .collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn mpart01_a_binary_body_is_taken_byte_for_byte() {
    let message = taken("mpart01");
    assert_eq!(message.body().len(), 553);
    assert!(message.body().contains(&0));
    assert!(bytes("mpart01").ends_with(message.body()));
    assert_eq!(message.content_type().as_deref(), Some("multipart/mixed"));
}

#[test]
fn unreason_a_reason_beyond_ascii_is_taken() {
    let message = taken("unreason");
    assert_eq!(message.status(), Some(200));
    assert_eq!(
        message.reason(),
        "= 2**3 * 5**2 но сто девяносто девять - простое"
    );
}

#[test]
fn noreason_an_empty_reason_is_taken() {
    let message = taken("noreason");
    assert_eq!((message.status(), message.reason()), (Some(100), ""));
}

// 3.1.2 Invalid messages

#[test]
fn badinv01_stray_separators_are_refused() {
    assert!(has_unreadable(&refused("badinv01", 400), "Via"));
}

#[test]
fn clerr_a_body_that_is_too_short_is_refused() {
    assert_eq!(refused("clerr", 400), Problem::Length);
}

#[test]
fn clerr_waits_in_a_stream() {
    let mut framer = Framer::new();
    framer.push(&bytes("clerr"));
    assert_eq!(framer.next_frame(), None);
}

#[test]
fn ncl_a_negative_content_length_is_refused() {
    assert!(has_unreadable(&refused("ncl", 400), "Content-Length"));
}

#[test]
fn ncl_ends_a_stream() {
    let mut framer = Framer::new();
    framer.push(&bytes("ncl"));
    let Some(Frame::Last(last)) = framer.next_frame() else {
        panic!("the stream goes on")
    };
    assert_eq!(
        read(&last).map_err(|unreadable| unreadable.status).err(),
        Some(400)
    );
    assert_eq!(framer.next_frame(), None);
}

#[test]
fn scalar02_overlarge_numbers_in_a_request_are_refused() {
    assert!(has_unreadable(&refused("scalar02", 400), "CSeq"));
}

#[test]
fn scalarlg_a_response_with_overlarge_numbers_is_dropped() {
    assert!(has_unreadable(&dropped("scalarlg"), "CSeq"));
}

#[test]
fn quotbal_an_open_quote_is_refused() {
    assert!(has_unreadable(&refused("quotbal", 400), "To"));
}

#[test]
fn ltgtruri_a_request_uri_in_brackets_is_refused() {
    assert!(matches!(refused("ltgtruri", 400), Problem::RequestUri(_)));
}

#[test]
fn lwsruri_a_request_uri_with_a_space_is_refused() {
    assert!(matches!(refused("lwsruri", 400), Problem::RequestUri(_)));
}

#[test]
fn lwsstart_two_spaces_in_the_start_line_are_refused() {
    assert!(matches!(refused("lwsstart", 400), Problem::RequestUri(_)));
}

#[test]
fn trws_spaces_behind_the_start_line_are_refused() {
    assert_eq!(refused("trws", 400), Problem::StartLine);
}

#[test]
fn escruri_headers_in_the_request_uri_are_refused() {
    assert!(matches!(refused("escruri", 400), Problem::RequestUri(_)));
}

#[test]
fn baddate_a_time_zone_that_is_not_gmt_is_refused() {
    assert!(has_unreadable(&refused("baddate", 400), "Date"));
}

#[test]
fn regbadct_a_contact_that_needs_brackets_is_refused() {
    assert!(has_unreadable(&refused("regbadct", 400), "Contact"));
}

#[test]
fn badaspec_spaces_in_brackets_are_refused() {
    assert!(has_unreadable(&refused("badaspec", 400), "To"));
}

#[test]
fn baddn_a_display_name_that_needs_quotes_is_refused() {
    // The RFC's message also lacks its empty line; with it, the name is still refused.
    let mut whole = bytes("baddn");
    refused("baddn", 400);
    whole.extend_from_slice(b"\r\n");
    let unreadable = read(&whole).expect_err("the name needs quotes");
    assert!(has_unreadable(&unreadable.problem, "From"));
    assert_eq!(unreadable.status, 400);
}

#[test]
fn badvers_another_version_is_refused() {
    assert_eq!(refused("badvers", 505), Problem::Version);
}

#[test]
fn mismatch01_a_cseq_of_another_method_is_refused() {
    assert!(has_unreadable(&refused("mismatch01", 400), "CSeq"));
}

#[test]
fn mismatch02_a_cseq_of_another_method_than_the_unknown_one_is_refused() {
    assert!(has_unreadable(&refused("mismatch02", 400), "CSeq"));
}

#[test]
fn bigcode_a_status_of_ten_digits_is_dropped() {
    assert_eq!(dropped("bigcode"), Problem::StartLine);
}

// 3.2 Transaction layer semantics

#[test]
fn badbranch_a_branch_that_is_only_the_cookie_names_no_transaction() {
    let message = taken("badbranch");
    assert!(!message.via().has_rfc3261_branch());
}

// 3.3 Application-layer semantics

#[test]
fn insuf_a_request_without_from_to_and_call_id_is_refused() {
    assert!(has_unreadable(&refused("insuf", 400), "From"));
}

#[test]
fn unkscm_a_request_uri_of_an_unknown_scheme_is_refused() {
    assert_eq!(objected("unkscm", &TELEPHONE).status, 416);
}

#[test]
fn novelsc_a_request_uri_of_a_known_but_foreign_scheme_is_refused() {
    assert_eq!(objected("novelsc", &TELEPHONE).status, 416);
}

#[test]
fn unksm2_foreign_schemes_in_addresses_are_taken() {
    let message = taken("unksm2");
    // A registrar answers 400 to this To; a telephone has no use for REGISTER at all.
    assert_eq!(message.to().uri().scheme(), Scheme::Other);
    assert_eq!(message.from().uri().scheme(), Scheme::Other);
    assert_eq!(objected("unksm2", &TELEPHONE).status, 405);
}

#[test]
fn bext01_a_required_extension_that_nobody_knows_is_refused_by_name() {
    let refusal = objected("bext01", &TELEPHONE);
    assert_eq!(refusal.status, 420);
    assert_eq!(
        refusal.headers,
        [(
            "Unsupported",
            "nothingSupportsThis, nothingSupportsThisEither".to_owned()
        )]
    );
}

#[test]
fn invut_a_body_of_an_unknown_type_is_refused_with_what_is_taken() {
    let refusal = objected("invut", &TELEPHONE);
    assert_eq!(refusal.status, 415);
    assert_eq!(refusal.headers, [("Accept", "application/sdp".to_owned())]);
}

#[test]
fn regaut01_an_unknown_authentication_scheme_counts_as_none() {
    let message = taken("regaut01");
    let value = message.header("Authorization").expect("is there");
    assert_eq!(Credentials::parse(&value), Err(DigestError::Scheme));
}

#[test]
fn multi01_doubled_single_fields_are_refused() {
    assert!(matches!(refused("multi01", 400), Problem::Field { .. }));
}

#[test]
fn mcl01_two_content_lengths_that_differ_are_refused() {
    assert!(has_unreadable(&refused("mcl01", 400), "Content-Length"));
}

#[test]
fn bcast_a_response_with_a_broadcast_via_below_is_taken() {
    let message = taken("bcast");
    // Whether the top Via is ours, the transaction layer sees by its branch.
    assert_eq!(message.vias().count(), 2);
    assert_eq!(message.via().host(), "192.0.2.198");
}

#[test]
fn zeromf_max_forwards_of_zero_is_taken_by_the_last_hop() {
    let message = taken("zeromf");
    assert_eq!(message.max_forwards(), Some(0));
    assert_eq!(inspect(&message, &TELEPHONE), Ok(()));
}

#[test]
fn cparam01_parameters_without_brackets_are_the_contacts() {
    let message = taken("cparam01");
    let contact = message.contacts().first().expect("contact");
    assert!(contact.params().has("unknownparam"));
    assert_eq!(contact.uri().param("unknownparam"), None);
}

#[test]
fn cparam02_parameters_in_brackets_are_the_uris() {
    let message = taken("cparam02");
    let contact = message.contacts().first().expect("contact");
    assert!(!contact.params().has("unknownparam"));
    assert_eq!(contact.uri().param("unknownparam"), Some(""));
}

#[test]
fn regescrt_an_escaped_header_in_a_contact_is_kept() {
    let message = taken("regescrt");
    let contact = message.contacts().first().expect("contact");
    let headers: Vec<_> = contact.uri().headers().collect();
    assert_eq!(headers, [("Route", Some("%3Csip:sip.example.com%3E"))]);
}

#[test]
fn sdp01_a_caller_that_takes_no_session_description_is_refused() {
    assert_eq!(objected("sdp01", &TELEPHONE).status, 406);
}

// 3.4 Backward compatibility

#[test]
fn inv2543_an_invite_of_rfc_2543_is_taken() {
    let message = taken("inv2543");
    assert!(!message.via().has_rfc3261_branch());
    assert_eq!(message.max_forwards(), None);
    assert_eq!(message.to().params().get("user"), Some("phone"));
    assert!(message.body().ends_with(b"RTP/AVP 0\r\n"));
    assert_eq!(inspect(&message, &TELEPHONE), Ok(()));
}
