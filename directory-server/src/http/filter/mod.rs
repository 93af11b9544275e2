//! The filter of lists: `state eq "active" and (group in ("sre", "dba") or not uid lt 70100)`.
//! Read into a tree of known fields first; what reaches SQL is text of ours and bound values.

mod read;
mod statement;

use sqlx::{QueryBuilder, Sqlite};

use super::Refused;
pub(super) use read::unknown_field;

/// A field that a list can be filtered by, and where it is in the database.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name in the API.
    pub name: &'static str,
    /// What is compared.
    pub column: Column,
}

/// What a field is compared as. Only a moment may be absent.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// An expression that is a text.
    Text(&'static str),
    /// An expression that is a number.
    Number(&'static str),
    /// An expression that is a moment in milliseconds since 1970.
    Moment(&'static str),
    /// An expression that is 0 or 1.
    Truth(&'static str),
    /// A query for the ids of objects of which one of several texts is wanted: begins a condition
    /// that the comparison and a closing parenthesis end.
    Any {
        /// `id IN (SELECT … WHERE`
        begin: &'static str,
        /// The text in it.
        text: &'static str,
    },
}

/// One line of a list's table of fields.
#[must_use]
pub const fn field(name: &'static str, column: Column) -> Field {
    Field { name, column }
}

#[derive(Debug)]
enum Node {
    All(Vec<Self>),
    One(Vec<Self>),
    Not(Box<Self>),
    Compare(Field, Comparison, Vec<Value>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    Greater,
    Prefix,
    Has,
    In,
}

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Number(i64),
}

/// Adds a filter to a query as one more condition.
///
/// # Errors
/// The filter cannot be read, is too long or too deep, or names an unknown field.
pub(super) fn push(
    filter: &str,
    query: &mut QueryBuilder<Sqlite>,
    fields: &'static [Field],
) -> Result<(), Refused> {
    let node = read::tree(filter, fields)?;
    query.push(" AND ");
    statement::condition(&node, query);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field {
            name: "state",
            column: Column::Text("state"),
        },
        Field {
            name: "uid",
            column: Column::Number("uid"),
        },
        field("ended", Column::Moment("ended")),
        field("unix", Column::Truth("unix")),
        Field {
            name: "group",
            column: Column::Any {
                begin: "id IN (SELECT u FROM g WHERE",
                text: "name",
            },
        },
    ];

    fn sql(text: &str) -> Result<String, Refused> {
        let mut query = QueryBuilder::new("SELECT 1 WHERE 1");
        push(text, &mut query, FIELDS)?;
        Ok(query.into_string())
    }

    #[test]
    fn values_never_become_part_of_the_statement() {
        let text = r#"state eq "'; DROP TABLE users; --""#;
        assert!(!sql(text).unwrap().contains("DROP"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let bad = [
            "",
            "state",
            "state eq",
            "state eq active",
            "state is \"active\"",
            "state eq \"active",
            "state eq \"a\" \"b\"",
            "(state eq \"a\"",
            "state in ()",
            "uid eq \"x\"",
            "uid prefix 7",
            "ended gt 7",
            "ended gt \"yesterday\"",
            "unix eq 1",
            "unix gt true",
            "unix eq \"true\"",
            "uid eq 99999999999999999999",
            "group lt \"a\"",
            "password_verifier has \"a\"",
            "state eq \"a\" and",
        ];
        for text in bad {
            assert!(sql(text).is_err(), "{text}");
        }
        assert!(sql(&format!("state eq \"{}\"", "x".repeat(read::BYTES_MAX))).is_err());
    }

    #[test]
    fn pf_05_deep_filters_end_at_the_limit() {
        let nested =
            |levels: usize| format!("{}state eq \"a\"{}", "(".repeat(levels), ")".repeat(levels));
        assert!(sql(&nested(read::LEVELS_MAX - 1)).is_ok());
        assert!(sql(&nested(read::LEVELS_MAX)).is_err());
        assert!(sql(&"not ".repeat(1_000)).is_err());
        assert!(sql(&"(".repeat(4_000)).is_err());
    }
}
