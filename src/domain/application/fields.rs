//! Reading a JSON object property by property, noting every problem with its place.

use super::page::{Method, Page};
use crate::fault::Fault;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use url::Url;

/// What all readers of one document share: the page from which it came, and what is wrong with it.
pub(super) struct Reader {
    pub(super) base: Url,
    pub(super) faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn fault(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault::new(pointer, code, detail));
    }
}

/// One object. Every property that is asked for counts as known; [`Fields::finish`] reports the
/// others. A null property counts as absent.
pub(super) struct Fields<'v, 'r> {
    object: &'v Map<String, Value>,
    pub(super) pointer: String,
    known: Vec<&'static str>,
    pub(super) reader: &'r mut Reader,
}

impl<'v, 'r> Fields<'v, 'r> {
    /// The value as an object; a fault when it is something else.
    pub(super) fn new(value: &'v Value, pointer: &str, reader: &'r mut Reader) -> Option<Self> {
        let Some(object) = value.as_object() else {
            reader.fault(pointer, "not_an_object", "an object is needed here");
            return None;
        };
        Some(Self {
            object,
            pointer: pointer.to_owned(),
            known: Vec::new(),
            reader,
        })
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escape(name))
    }

    pub(super) fn fault(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        let pointer = self.at(name);
        self.reader.fault(&pointer, code, detail);
    }

    pub(super) fn value(&mut self, name: &'static str) -> Option<&'v Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn required(&mut self, name: &'static str) -> Option<&'v Value> {
        let value = self.value(name);
        if value.is_none() {
            self.fault(name, "required", format!("`{name}` is needed"));
        }
        value
    }

    pub(super) fn string(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.fault(name, "not_a_string", "a string is needed here");
        }
        text
    }

    pub(super) fn boolean(&mut self, name: &'static str, default: bool) -> bool {
        let Some(value) = self.value(name) else {
            return default;
        };
        value.as_bool().unwrap_or_else(|| {
            self.fault(name, "not_a_boolean", "true or false is needed here");
            default
        })
    }

    pub(super) fn integer(
        &mut self,
        name: &'static str,
        default: i64,
        range: RangeInclusive<i64>,
    ) -> i64 {
        let Some(value) = self.value(name) else {
            return default;
        };
        match value.as_i64() {
            Some(number) if range.contains(&number) => number,
            Some(_) => {
                let detail = format!("{} to {} are allowed", range.start(), range.end());
                self.fault(name, "out_of_range", detail);
                default
            }
            None => {
                self.fault(name, "not_an_integer", "a whole number is needed here");
                default
            }
        }
    }

    pub(super) fn page(&mut self, name: &'static str) -> Option<Page> {
        let value = self.value(name)?;
        let pointer = self.at(name);
        read_page(value, &pointer, self.reader, Method::Post)
    }

    /// A property of the public contract that is not built: a fault when it is used.
    pub(super) fn unsupported(&mut self, name: &'static str) {
        if self.value(name).is_some() {
            self.fault(name, "unsupported", format!("`{name}` is not supported"));
        }
    }

    pub(super) fn finish(self) {
        let Self {
            object,
            pointer,
            known,
            reader,
        } = self;
        for name in object.keys() {
            if !known.contains(&name.as_str()) {
                let at = format!("{pointer}/{}", escape(name));
                reader.fault(
                    &at,
                    "unknown_property",
                    format!("`{name}` is not known here"),
                );
            }
        }
    }
}

/// RFC 6901 §3.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A page of the application: `{"url": …, "method": …}`. Its address may be relative to the page
/// that named it.
pub(super) fn read_page(
    value: &Value,
    pointer: &str,
    reader: &mut Reader,
    default: Method,
) -> Option<Page> {
    let base = reader.base.clone();
    let mut fields = Fields::new(value, pointer, reader)?;
    let address = match fields.required("url") {
        Some(_) => fields.string("url"),
        None => None,
    };
    let method = match fields.string("method").as_deref() {
        None => Some(default),
        Some("GET") => Some(Method::Get),
        Some("POST") => Some(Method::Post),
        Some(_) => {
            fields.fault("method", "not_a_method", "GET or POST is needed here");
            None
        }
    };
    let page = match (address, method) {
        (Some(address), Some(method)) => match Page::join(&base, &address, method) {
            Ok(page) => Some(page),
            Err(error) => {
                fields.fault("url", "invalid_url", error.to_string());
                None
            }
        },
        (_, _) => None,
    };
    fields.finish();
    page
}
