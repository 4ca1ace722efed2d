//! A JSON document read strictly, with all of its faults at once.
//!
//! serde stops at the first fault. So each fault is noted and mended in a copy (what is unknown is
//! removed, what is wrong or missing gets a stand-in of the right type), and the copy is read again.
//! What is read from a mended copy only serves to find the faults of its rules too.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use strowger_domain::fault::Fault;

use super::error::{Code, Problem};

/// So many faults are told of one document.
const MOST_FAULTS: usize = 25;
/// Of a larger document, in bytes, one fault is told: to read it again and again takes too long.
const MENDED: usize = 16 * 1024;

/// A document, as far as it can be read.
#[derive(Debug)]
pub struct Document<T> {
    /// What it says. With faults, parts of it are stand-ins.
    pub value: T,
    /// What is wrong with its shape.
    pub faults: Vec<Fault>,
}

/// Reads a JSON text, which must be an object.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<Document<T>, Problem> {
    let mut faults = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(text);
    let malformed =
        |error: serde_json::Error| Problem::from(Code::MalformedJson).detail(error.to_string());
    let tree = Tree {
        place: &mut String::new(),
        faults: &mut faults,
    };
    let mut document = tree.deserialize(&mut json).map_err(malformed)?;
    json.end().map_err(malformed)?;
    if !document.is_object() {
        return Err(Problem::fault("", "wrong_type", "send a JSON object"));
    }
    let most = if text.len() > MENDED { 1 } else { MOST_FAULTS };
    let mut mended = Mended::default();
    loop {
        let error = match serde_path_to_error::deserialize(Strict(&document)) {
            Ok(value) => return Ok(Document { value, faults }),
            Err(error) => error,
        };
        let place = pointer(error.path());
        let message = error.into_inner().to_string();
        let place = whole_place(place, &message);
        let known = mended.known(&place);
        if known.is_none() {
            let (code, detail) = plain_words(&message);
            faults.push(Fault::new(&place, code, detail));
        }
        let at = known.unwrap_or(place);
        if faults.len() >= most || !mended.mend(&mut document, &at, &message) {
            return Err(Problem::invalid(faults));
        }
    }
}

/// The place of a fault, also where serde names only what holds it.
fn whole_place(place: String, message: &str) -> String {
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next());
    match named.map(escaped) {
        Some(name) if !place.ends_with(&format!("/{name}")) => format!("{place}/{name}"),
        Some(_) | None => place,
    }
}

/// What stands in for a wrong value: the first that fits.
const STAND_INS: [&str; 9] = [
    "null",
    "\"\"",
    "0",
    "false",
    "[]",
    "1",
    "\"+441632960000\"",
    "\"2000-01-01T00:00:00Z\"",
    "\"UTC\"",
];

/// The places that were mended, and how many stand-ins were tried at each.
#[derive(Default)]
struct Mended(BTreeMap<String, usize>);

impl Mended {
    /// The mended place that a fault is about: one that it lies in, or that lies in it.
    fn known(&self, place: &str) -> Option<String> {
        let holds = |outer: &str, inner: &str| {
            let rest = inner.strip_prefix(outer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let about = |known: &&String| holds(known, place) || holds(place, known);
        self.0.keys().find(about).cloned()
    }

    /// Mends the document at a place: takes out what is unknown, else puts the next stand-in there.
    /// Answers whether that could be done.
    fn mend(&mut self, document: &mut Value, at: &str, message: &str) -> bool {
        let Some((above, name)) = split(at) else {
            return false;
        };
        let Some(holder) = document.pointer_mut(above) else {
            return false;
        };
        if message.starts_with("unknown field") {
            let removed = holder.as_object_mut().and_then(|all| all.remove(&name));
            return removed.is_some();
        }
        let tried = self.0.entry(at.to_owned()).or_default();
        let Some(next) = STAND_INS.get(*tried) else {
            return false;
        };
        *tried += 1;
        let stand_in = hinted(message).or_else(|| serde_json::from_str(next).ok());
        let stand_in = stand_in.unwrap_or_default();
        match holder {
            Value::Object(members) => {
                members.insert(name, stand_in);
                true
            }
            Value::Array(items) => {
                let item = name.parse().ok().and_then(|at: usize| items.get_mut(at));
                item.map(|item| *item = stand_in).is_some()
            }
            _ => false,
        }
    }
}

/// A value that the message itself names: the first variant, or an identifier of the wanted kind.
fn hinted(message: &str) -> Option<Value> {
    if message.starts_with("unknown variant") {
        let (_, wanted) = message.rsplit_once(", expected ")?;
        let first = wanted.split('`').nth(1)?;
        return Some(first.into());
    }
    let (_, form) = message.split_once("identifier of the form ")?;
    let prefix = form.split(' ').next()?;
    Some(format!("{prefix}{:032}", 0).into())
}

/// The pointer of what holds a place, and the name of the place in it.
fn split(place: &str) -> Option<(&str, String)> {
    let (above, name) = place.rsplit_once('/')?;
    Some((above, name.replace("~1", "/").replace("~0", "~")))
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&escaped(key));
            }
            // A variant is a value in our documents, not a place.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// The code of a fault that serde found, and its text.
fn plain_words(message: &str) -> (&'static str, String) {
    let text = message.split(" at line ").next().unwrap_or(message);
    let code = if text.starts_with("unknown field") {
        "unknown_field"
    } else if text.starts_with("missing field") {
        "missing"
    } else if text.starts_with("unknown variant") {
        "unknown_value"
    } else if text.starts_with("invalid type") {
        "wrong_type"
    } else {
        "invalid_value"
    };
    (code, in_plain_words(text))
}

/// What serde says, without words of Rust.
pub fn in_plain_words(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("missing field ") {
        return format!("{rest} is missing");
    }
    let Some((what, wanted)) = text.rsplit_once(", expected ") else {
        return text.to_owned();
    };
    if what.starts_with("unknown variant") {
        format!("choose {wanted}")
    } else if let Some(name) = what.strip_prefix("unknown field ") {
        format!("there is no {name}; choose {wanted}")
    } else if what.starts_with("invalid type") || what.starts_with("invalid value") {
        format!("write {}", plain_type(wanted))
    } else {
        text.to_owned()
    }
}

fn plain_type(wanted: &str) -> &str {
    match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") || other.starts_with("internally tagged enum ") => {
            "an object"
        }
        other => other,
    }
}

/// Builds the tree of a text, and notes what is written twice: serde would take the last of them.
struct Tree<'a> {
    /// Where we are; it is as long afterwards as it was before.
    place: &'a mut String,
    faults: &'a mut Vec<Fault>,
}

impl Tree<'_> {
    /// Goes into what has this name.
    fn below(&mut self, name: &str) -> Tree<'_> {
        self.place.push('/');
        self.place.push_str(name);
        Tree {
            place: self.place,
            faults: self.faults,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let (mut all, length) = (Vec::new(), self.place.len());
        while let Some(item) = items.next_element_seed(self.below(&all.len().to_string()))? {
            all.push(item);
            self.place.truncate(length);
        }
        self.place.truncate(length);
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let (mut all, length) = (Map::new(), self.place.len());
        while let Some(name) = members.next_key::<String>()? {
            let below = self.below(&escaped(&name));
            if all.contains_key(&name) && below.faults.len() < MOST_FAULTS {
                let detail = format!("`{name}` is there twice");
                let fault = Fault::new(below.place.as_str(), "invalid_value", detail);
                below.faults.push(fault);
            }
            let value = members.next_value_seed(below)?;
            all.insert(name, value);
            self.place.truncate(length);
        }
        Ok(all.into())
    }
}

/// A value that is read as it is: `serde_json` would take a list for an object, in the order in which
/// our fields happen to stand.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Value);

impl<'de> IntoDeserializer<'de, serde_json::Error> for Strict<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Strict<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.iter().map(Strict));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| (&**name, Strict(value)));
                let mut members = MapDeserializer::new(members);
                let value = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(value)
            }
            simple => simple.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(_) => Err(Self::Error::invalid_type(Unexpected::Seq, &"a map")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "inner")]
        _inner: Vec<Inner>,
        #[serde(default)]
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "number")]
        _number: u8,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
    }

    fn told(faults: &[Fault]) -> Vec<String> {
        let told = |fault: &Fault| format!("{} {}", fault.pointer, fault.code);
        faults.iter().map(told).collect()
    }

    #[test]
    fn every_fault_of_shape_is_told_by_its_place() {
        for (text, faults) in [
            (
                r#"{"inner":[{"number":1},{"number":"x"}]}"#,
                &["/inner/1/number wrong_type"][..],
            ),
            (
                r#"{"inner":[{"number":300}]}"#,
                &["/inner/0/number invalid_value"],
            ),
            (
                r#"{"inner":[{"number":1,"a/b":2}]}"#,
                &["/inner/0/a~1b unknown_field"],
            ),
            (r#"{"inner":[{}]}"#, &["/inner/0/number missing"]),
            (r#"{"inner":[[1]]}"#, &["/inner/0 wrong_type"]),
            (
                r#"{"wrong":1,"inner":[{"number":"x"},{},{"number":2,"b":1}],"colour":"blue"}"#,
                &[
                    "/colour unknown_value",
                    "/inner/0/number wrong_type",
                    "/inner/1/number missing",
                    "/inner/2/b unknown_field",
                    "/wrong unknown_field",
                ],
            ),
            (r#"{"inner":[],"inner":[]}"#, &["/inner invalid_value"]),
        ] {
            let mut found = match read::<Outer>(text.as_bytes()) {
                Ok(document) => told(&document.faults),
                Err(problem) => told(&problem.errors),
            };
            found.sort();
            assert_eq!(found, faults, "{text}");
        }
    }

    #[test]
    fn what_stands_beside_a_fault_is_read_all_the_same() {
        let text = br#"{"inner":[{"number":"x"}],"colour":"red","wrong":1}"#;
        let document = read::<Outer>(text).unwrap();
        assert_eq!(document.value.colour, Some(Colour::Red));
        assert_eq!(document.faults.len(), 2);
    }

    #[test]
    fn a_document_that_is_no_object_has_the_wrong_type() {
        for text in [r#"[[{"number":1}]]"#, "\"text\"", "null", "[]"] {
            let problem = read::<Outer>(text.as_bytes()).unwrap_err();
            assert_eq!(told(&problem.errors), [" wrong_type"], "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_so() {
        let nested = format!("{{\"inner\":{}", "[".repeat(100_000));
        for text in [
            "",
            "{",
            "{\"inner\":[],}",
            "{\"inner\":[]} x",
            "\u{0}",
            "nul",
            &nested,
        ] {
            let problem = read::<Outer>(text.as_bytes()).unwrap_err();
            assert_eq!(problem.code, Code::MalformedJson, "{text:.20}");
        }
    }

    #[test]
    fn a_document_with_many_faults_tells_some_of_them() {
        let many = vec!["{\"a\":1}"; 1000].join(",");
        let problem = read::<Outer>(format!("{{\"inner\":[{many}]}}").as_bytes()).unwrap_err();
        assert_eq!(problem.errors.len(), MOST_FAULTS);
        let many = vec!["{\"a\":1}"; 20_000].join(",");
        let problem = read::<Outer>(format!("{{\"inner\":[{many}]}}").as_bytes()).unwrap_err();
        assert_eq!(problem.errors.len(), 1);
    }
}
