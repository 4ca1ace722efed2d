use super::*;

fn plan(variables: &[(&str, &str, Scope)]) -> Arc<Plan> {
    Arc::new(Plan {
        format_version: 1,
        name: String::new(),
        nodes: Vec::new(),
        variables: variables
            .iter()
            .map(|(name, default, scope)| super::super::plan::Variable {
                name: (*name).to_owned(),
                default: (*default).to_owned(),
                scope: *scope,
                description: String::new(),
            })
            .collect(),
    })
}

fn given(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_text_is_cut_into_plain_parts_and_names() {
    let found = pieces("Hello @name, pay @@5 to bob@ or @9: @_x2@y");
    assert_eq!(
        found,
        [
            Piece::Text("Hello "),
            Piece::Name("@name"),
            Piece::Text(", pay "),
            Piece::Text("@"),
            Piece::Text("5 to bob"),
            Piece::Text("@"),
            Piece::Text(" or "),
            Piece::Text("@9"),
            Piece::Text(": "),
            Piece::Name("@_x2"),
            Piece::Name("@y"),
        ]
    );
}

#[test]
fn a_name_is_an_at_sign_with_up_to_99_letters_digits_and_underscores() {
    let longest = format!("@{}", "a".repeat(99));
    for name in ["@a", "@_", "@A9_z", longest.as_str()] {
        assert!(is_name(name), "{name}");
    }
    let too_long = format!("@{}", "a".repeat(100));
    for name in ["", "@", "a", "@9", "@a-b", "@a b", "@é", too_long.as_str()] {
        assert!(!is_name(name), "{name}");
    }
}

#[test]
fn values_are_given_assigned_and_fall_back_to_the_default() {
    let plan = plan(&[
        ("@ring", "20", Scope::Call),
        ("@name", "friend", Scope::Call),
        ("@shared", "1", Scope::Global),
    ]);
    let given = given(&[
        ("name", "Ada"),
        ("@shared", "not taken"),
        ("@unknown", "not taken"),
        ("@origin", "not taken"),
    ]);
    let mut variables = Variables::new(plan, &given);
    variables.set_built_in("@origin", "inbound".to_owned());
    assert_eq!(
        variables.substitute("@name @shared @unknown @origin @ring"),
        "Ada 1 @unknown inbound 20"
    );
    let number = |text: &str| text.parse::<u32>().ok();
    variables.set("@ring", "25");
    assert_eq!(variables.read("@ring", number), Some(25));
    variables.set("@ring", "soon");
    assert_eq!(variables.read("@ring", number), Some(20));
    variables.set("@origin", "moon");
    assert_eq!(variables.value("@origin"), Some("inbound"));
}

#[test]
fn global_values_come_from_the_snapshot_and_changes_are_read_out_once() {
    let plan = plan(&[("@open", "yes", Scope::Global), ("@x", "", Scope::Call)]);
    let mut variables = Variables::new(plan, &BTreeMap::new());
    variables.set_globals(Globals(given(&[("@open", "no")])));
    assert_eq!(variables.value("@open"), Some("no"));
    variables.set("@open", "maybe");
    variables.set("@x", "private");
    assert_eq!(variables.value("@open"), Some("maybe"));
    assert_eq!(
        variables.take_changed(),
        [("@open".to_owned(), "maybe".to_owned())]
    );
    assert_eq!(variables.take_changed(), []);
}

#[test]
fn a_value_that_doubles_itself_stays_limited() {
    let plan = plan(&[("@x", "ab", Scope::Call)]);
    let mut variables = Variables::new(plan, &BTreeMap::new());
    for _ in 0..40 {
        let doubled = variables.substitute("@x@x");
        variables.set("@x", &doubled);
    }
    assert_eq!(variables.value("@x").map(str::len), Some(LONGEST_VALUE));
}
