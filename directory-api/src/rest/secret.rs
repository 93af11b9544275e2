//! Text that must not be printed and is wiped when it is no longer needed.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use zeroize::Zeroize;

/// A password, a token or another secret on its way to the directory, or from it exactly once.
#[derive(Clone, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, format = Password)]
pub struct Secret(String);

impl Secret {
    /// Takes over the text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Whether two texts are the same. The time tells nothing about where they differ; their length is
/// no secret.
#[must_use]
pub fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}
