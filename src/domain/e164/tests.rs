use super::*;
use proptest::prelude::*;

fn read(text: &str) -> String {
    E164::read(text, Country::GB).map_or_else(|e| format!("{e:?}"), |number| number.to_string())
}

#[test]
fn what_people_in_the_uk_write_is_normalised() {
    let rows = [
        ("01632 960001", "+441632960001"),
        ("020 7946 0001", "+442079460001"),
        ("(020) 7946-0001", "+442079460001"),
        ("+44 (0)20 7946 0001", "+442079460001"),
        ("+44 1632 960 001", "+441632960001"),
        ("00441632960001", "+441632960001"),
        ("0033 1 23 45 67 89", "+33123456789"),
        ("07700.900.123", "+447700900123"),
        ("0800 1111", "+448001111"),
        (" 03069 990001 ", "+443069990001"),
    ];
    for (text, number) in rows {
        assert_eq!(read(text), number, "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused_with_its_reason() {
    let rows = [
        ("", "NotANumber"),
        ("anonymous", "NotANumber"),
        ("01632 96000x", "NotANumber"),
        ("1632960001", "NotANumber"),
        ("+44+1632960001", "NotANumber"),
        ("٠١٦٣٢٩٦٠٠٠١", "NotANumber"),
        ("+1234", "Length"),
        ("+4416329600011234", "Length"),
        ("+999123456789", "UnknownCountry"),
        ("+444155550001", "NotInNumberingPlan"),
        ("020 7946 001", "NotInNumberingPlan"),
        ("+120255501", "Length"),
    ];
    for (text, reason) in rows {
        assert_eq!(read(text), reason, "{text}");
    }
}

#[test]
fn strict_reading_takes_the_international_form_only() {
    assert!(E164::parse("+441632960001").is_ok());
    for text in ["441632960001", "01632960001", "+44 1632960001", "+", ""] {
        assert!(E164::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_user_part_of_a_sip_uri_is_read_in_all_forms_that_carriers_send() {
    for user in [
        "+441632960001",
        "00441632960001",
        "01632960001",
        "441632960001",
        "+441632960001;npdi",
    ] {
        let number = E164::from_user(user, Country::GB).unwrap();
        assert_eq!(number.as_str(), "+441632960001", "{user}");
    }
    assert!(E164::from_user("alice", Country::GB).is_err());
    let us = Country::by_iso("US").unwrap();
    assert_eq!(
        E164::from_user("12025550123", us).unwrap().as_str(),
        "+12025550123"
    );
    assert_eq!(
        E164::read("011 44 1632 960001", us).unwrap().as_str(),
        "+441632960001"
    );
}

#[test]
fn uk_numbers_are_classed_by_their_first_digits() {
    use DestinationClass as Class;
    let rows = [
        ("+441632960001", Class::UkGeographic),
        ("+442079460001", Class::UkGeographic),
        ("+443069990001", Class::UkWide),
        ("+448081570001", Class::UkFreephone),
        ("+448001111", Class::UkFreephone),
        ("+448449990001", Class::UkSpecial),
        ("+448719990001", Class::UkSpecial),
        ("+445600000001", Class::UkSpecial),
        ("+447700900001", Class::UkMobile),
        ("+447624000001", Class::UkMobile),
        ("+447000000001", Class::UkPersonal),
        ("+447600000001", Class::UkPersonal),
        ("+449098790001", Class::UkPremium),
    ];
    for (text, class) in rows {
        assert_eq!(
            E164::parse(text).unwrap().destination_class(),
            class,
            "{text}"
        );
    }
}

#[test]
fn other_numbers_are_classed_by_their_country() {
    use DestinationClass as Class;
    let rows = [
        ("+33123456789", "FR", Class::Europe),
        ("+12025550123", "US", Class::NorthAmerica),
        ("+14165550123", "CA", Class::NorthAmerica),
        ("+18765550123", "JM", Class::Caribbean),
        ("+79161234567", "RU", Class::Europe),
        ("+77011234567", "KZ", Class::Asia),
        ("+5511912345678", "BR", Class::LatinAmerica),
        ("+27821234567", "ZA", Class::Africa),
        ("+971501234567", "AE", Class::MiddleEast),
        ("+61412345678", "AU", Class::Oceania),
        ("+6834123", "NU", Class::Oceania),
        ("+881612345678", "001", Class::Satellite),
        ("+80012345678", "001", Class::GlobalFreephone),
        ("+979123456789", "001", Class::GlobalShared),
    ];
    for (text, iso, class) in rows {
        let number = E164::parse(text).unwrap();
        assert_eq!(number.country().unwrap().iso, iso, "{text}");
        assert_eq!(number.destination_class(), class, "{text}");
        assert_eq!(number.class(), NumberClass::International);
    }
}

#[test]
fn a_number_is_shown_as_it_is_dialled_at_home() {
    assert_eq!(
        E164::parse("+441632960001").unwrap().national(),
        "01632960001"
    );
    assert_eq!(
        E164::parse("+14165550123").unwrap().national(),
        "14165550123"
    );
    assert_eq!(E164::parse("+34911234567").unwrap().national(), "911234567");
}

#[test]
fn the_table_of_countries_is_in_order_and_its_codes_are_digits() {
    assert!(COUNTRIES.is_sorted_by(|a, b| a.code < b.code));
    for country in COUNTRIES {
        assert!(
            country.code.bytes().all(|b| b.is_ascii_digit()),
            "{country:?}"
        );
    }
    assert_eq!(Country::by_iso("GB"), Some(Country::GB));
}

#[test]
fn a_class_is_written_by_its_name() {
    for class in DestinationClass::ALL {
        let json = serde_json::to_string(&class).unwrap();
        assert_eq!(json, format!("\"{}\"", class.name()));
    }
}

proptest! {
    #[test]
    fn reading_never_panics_and_gives_what_strict_reading_takes(text in "\\PC{0,40}") {
        if let Ok(number) = E164::read(&text, Country::GB) {
            prop_assert_eq!(E164::parse(number.as_str()), Ok(number.clone()));
            let _ = (number.class(), number.national());
        }
        let _ = E164::from_user(&text, Country::GB);
    }

    #[test]
    fn a_uk_number_is_the_same_however_it_is_written(subscriber in 0u32..1_000_000) {
        let number = format!("+441632{subscriber:06}");
        let forms = [
            format!("01632{subscriber:06}"),
            format!("00441632{subscriber:06}"),
            format!("+44 (0)1632 {subscriber:06}"),
        ];
        for form in forms {
            prop_assert_eq!(read(&form), number.clone());
        }
    }
}
