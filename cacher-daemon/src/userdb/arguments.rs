//! The arguments of a call, taken out one by one. A wrong kind or one that is left over is told to
//! the caller by name.

use serde_json::{Map, Value};

use super::fault::Fault;

/// What is left of the arguments.
#[derive(Debug)]
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(super) fn of(parameters: Option<Map<String, Value>>) -> Self {
        Self(parameters.unwrap_or_default())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        self.taken(name, |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        self.taken(name, |value| {
            let texts = value.as_array()?.iter();
            texts.map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    pub(super) fn id(&mut self, name: &str) -> Result<Option<u32>, Fault> {
        self.taken(name, |value| u32::try_from(value.as_u64()?).ok())
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(Fault::InvalidParameter(name)),
            None => Ok(()),
        }
    }

    /// A null is as good as nothing.
    fn taken<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match read(&value) {
                Some(value) => Ok(Some(value)),
                None => Err(Fault::InvalidParameter(name.to_owned())),
            },
        }
    }
}
