//! Bodies: JSON only, at most 1 MiB, nested at most 16 deep, no key twice, no unknown field, no
//! number that does not fit.

use std::fmt;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Refused;
use super::router::BODY_BYTES_MAX;

const NESTING_MAX: usize = 16;
/// A body that is sent ever slower would hold its connection and its memory for ever.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON body that must be there.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A JSON body that may be absent.
#[derive(Debug)]
pub struct OptionalBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        require_json(request.headers())?;
        typed(strict(&bytes(request).await?)?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let json = require_json(request.headers());
        let bytes = bytes(request).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        json?;
        typed(strict(&bytes)?).map(Self)
    }
}

/// A lower limit for the body of this request.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimit(pub(super) usize);

/// The bytes of a body, refused beyond the limit.
pub(super) async fn bytes(request: Request) -> Result<axum::body::Bytes, Refused> {
    bytes_within(BODY_TIMEOUT, request).await
}

async fn bytes_within(patience: Duration, request: Request) -> Result<axum::body::Bytes, Refused> {
    let limit = request
        .extensions()
        .get::<BodyLimit>()
        .map_or(BODY_BYTES_MAX, |limit| limit.0);
    let read = axum::body::to_bytes(request.into_body(), limit);
    tokio::time::timeout(patience, read)
        .await
        .map_err(|_| {
            Refused::new(
                StatusCode::REQUEST_TIMEOUT,
                "malformed",
                "The body did not come in time.",
            )
        })?
        .map_err(|_| {
            Refused::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("The body is larger than {limit} bytes, or was cut off."),
            )
        })
}

/// Only `application/json`: forms and plain text are what hostile pages can send.
fn require_json(headers: &HeaderMap) -> Result<(), Refused> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    match essence {
        Some(kind)
            if kind.eq_ignore_ascii_case("application/json")
                || kind.eq_ignore_ascii_case("application/merge-patch+json") =>
        {
            Ok(())
        }
        Some(_) | None => Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "json_only",
            "Only JSON is accepted here.",
        )
        .hint("Send Content-Type: application/json.")),
    }
}

/// Reads JSON without accepting what could be read in two ways.
///
/// # Errors
/// Not JSON, a key twice, or nested too deep.
pub fn strict(bytes: &[u8]) -> Result<Value, Refused> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| Refused::malformed(format!("The body is not sound JSON: {error}.")))
}

/// Turns JSON into what the call takes, and names the field that does not fit.
///
/// # Errors
/// A field is unknown, missing or wrong.
pub fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Refused> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { path };
        let text = error.into_inner().to_string();
        if text.starts_with("unknown field") {
            let refused =
                Refused::new(StatusCode::BAD_REQUEST, "unknown_field", format!("{text}."));
            return refused.field(&field, "unknown_field");
        }
        Refused::invalid(&field, format!("{text}."))
    })
}

struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth == NESTING_MAX {
            return Err(E::custom(format!("nested more than {NESTING_MAX} deep")));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self.deeper()?)?;
            if map.contains_key(&key) {
                let key = posix_names::clean_line(&key, 64);
                return Err(serde::de::Error::custom(format!(
                    "key \"{key}\" stands twice"
                )));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// JSON merge patch (RFC 7396): `null` removes, objects are merged, the rest replaces.
pub fn merge_patch(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge_patch(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_comes_to_its_end_is_given_up() {
        let never = futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
        let request = Request::new(axum::body::Body::from_stream(never));
        let refused = bytes_within(Duration::ZERO, request).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
    }

    #[test]
    fn web_14_a_key_that_stands_twice_is_refused() {
        assert!(strict(br#"{"a":1,"b":{"c":1,"c":2}}"#).is_err());
        assert!(strict(br#"{"a":1} {"a":2}"#).is_err());
        assert_eq!(strict(br#"{"a":[1,null]}"#).unwrap(), json!({"a":[1,null]}));
    }

    #[test]
    fn pf_05_deep_nesting_is_refused_before_it_is_descended_into() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert!(strict(deep.as_bytes()).is_err());
        let fair = format!("{}1{}", "[".repeat(16), "]".repeat(16));
        assert!(strict(fair.as_bytes()).is_ok());
    }

    #[test]
    fn a_merge_patch_changes_what_it_names_and_nothing_else() {
        let mut target = json!({"a": 1, "labels": {"x": "1", "y": "2"}});
        merge_patch(&mut target, json!({"labels": {"x": null, "z": "3"}}));
        assert_eq!(target, json!({"a": 1, "labels": {"y": "2", "z": "3"}}));
    }
}
