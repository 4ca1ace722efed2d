//! Day, Time of day, Set variable and If.

use super::*;

/// Where a call that begins at `at` ends.
fn way(plan: &str, at: &str) -> String {
    let mut call = Call::at(plan, at);
    let effects = call.begin();
    let last = effects.iter().rev().find_map(|effect| match effect {
        Effect::Step { node, .. } => Some(node.clone()),
        _ => None,
    });
    assert!(call.interpreter.is_over(), "{effects:?}");
    last.unwrap()
}

#[test]
fn day_goes_by_the_day_of_the_week() {
    let rows = [
        // A Friday, Saturday, Sunday and Monday.
        ("2026-01-16T12:00:00Z", "open"),
        ("2026-01-17T00:00:00Z", "closed"),
        ("2026-01-18T23:59:59Z", "closed"),
        ("2026-01-19T00:00:00Z", "open"),
        // Summer time in London: Saturday began an hour before it did in UTC.
        ("2026-07-17T22:59:59Z", "open"),
        ("2026-07-17T23:00:00Z", "closed"),
    ];
    for (at, expected) in rows {
        assert_eq!(way("day", at), expected, "{at}");
    }
}

#[test]
fn time_of_day_takes_the_first_entry_that_matches() {
    let rows = [
        ("2026-01-14T08:59:59Z", "closed"),
        ("2026-01-14T09:00:00Z", "office"),
        ("2026-01-14T12:00:00Z", "lunch"),
        ("2026-01-14T12:59:59Z", "lunch"),
        ("2026-01-14T13:00:00Z", "office"),
        ("2026-01-14T17:29:59Z", "office"),
        ("2026-01-14T17:30:00Z", "closed"),
        // Friday's night goes on into Saturday, Saturday's into Sunday, and no further.
        ("2026-01-16T22:00:00Z", "night"),
        ("2026-01-17T05:59:59Z", "night"),
        ("2026-01-17T06:00:00Z", "closed"),
        ("2026-01-17T21:59:59Z", "closed"),
        ("2026-01-18T05:59:59Z", "night"),
        ("2026-01-18T22:00:00Z", "closed"),
        ("2026-01-19T05:00:00Z", "closed"),
        // An entry that is not enabled would have matched.
        ("2026-01-18T12:00:00Z", "closed"),
        // Summer time.
        ("2026-07-15T08:00:00Z", "office"),
    ];
    for (at, expected) in rows {
        assert_eq!(way("time_of_day", at), expected, "{at}");
    }
}

#[test]
fn the_clock_change_in_spring_and_autumn_is_followed() {
    // 29 March 2026: 01:00 UTC is 02:00 in London; 25 October: 01:30 comes twice.
    let mut plan = fixture("time_of_day");
    for node in &mut plan.nodes {
        if let crate::call_plan::nodes::Kind::TimeOfDay(node) = &mut node.kind {
            node.entries.truncate(3);
            node.entries[2].days = [crate::calendar::Day::Sunday].into();
            node.entries[2].from = "01:30".into();
            node.entries[2].to = "02:00".into();
        }
    }
    let rows = [
        ("2026-03-29T00:59:00Z", false),
        ("2026-03-29T01:00:00Z", false),
        ("2026-10-25T00:30:00Z", true),
        ("2026-10-25T01:00:00Z", false),
        ("2026-10-25T01:30:00Z", true),
        ("2026-10-25T02:00:00Z", false),
    ];
    for (at, expected) in rows {
        let effects = Call::new(plan.clone(), Origin::Inbound, at).begin();
        let night = effects.contains(&step("night", "hang_up", "night"));
        assert_eq!(night, expected, "{at}");
    }
}

#[test]
fn set_variable_puts_values_together_and_shares_global_ones() {
    let mut call = Call::inbound("set_variable");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            step("greeting", "set_variable", "continue"),
            step("shared", "set_variable", "continue"),
            step("say", "play_audio", "continue"),
            Effect::Answer,
            play(1, vec![text("Hello Ada, it is 12:00")]),
        ]
    );
    assert_eq!(
        call.interpreter.take_changed_globals(),
        [("@last_caller".to_owned(), "+447700900123".to_owned())]
    );
    assert_eq!(call.interpreter.take_changed_globals(), []);
}

/// Where `if` leads with these values.
fn if_with(values: &[(&str, &str)], at: &str) -> String {
    let mut plan = fixture("if");
    for variable in &mut plan.variables {
        if variable.name == "@name" {
            // The driver gives a name to every call.
            "@other".clone_into(&mut variable.name);
        }
        for (name, value) in values {
            if variable.name == *name {
                (*value).clone_into(&mut variable.default);
            }
        }
    }
    let effects = Call::new(plan, Origin::Inbound, at).begin();
    match &effects[2] {
        Effect::Step { branch, .. } => branch.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn if_compares_by_type_and_the_first_true_condition_wins() {
    let noon = "2026-01-14T12:00:00Z";
    assert_eq!(if_with(&[("@age", "18")], noon), "adult");
    assert_eq!(if_with(&[("@age", " 19 ")], noon), "adult");
    let both = [("@age", "18"), ("@birthday", "2026-01-14")];
    assert_eq!(if_with(&both, noon), "adult");
    let born = [("@age", "17"), ("@birthday", "2026-01-14")];
    assert_eq!(if_with(&born, noon), "birthday");
    assert_eq!(if_with(&[], "2026-01-14T07:59:00Z"), "early");
    assert_eq!(if_with(&[], "2030-01-01T12:00:00Z"), "past");
}

#[test]
fn a_value_of_another_type_makes_a_condition_false() {
    let noon = "2026-01-14T12:00:00Z";
    let wrong = [("@age", "nineteen"), ("@birthday", "14/1/2026")];
    // `@name` is not declared in that plan: it has no value, and "not equal" is false as well.
    assert_eq!(if_with(&wrong, noon), "else");
    let mut call = Call::inbound("if");
    assert!(call.begin().contains(&step("friend", "hang_up", "friend")));
}
