//! The filter of lists: `state eq "active" and (group in ("sre", "dba") or not uid lt 70100)`.
//! Read into a tree of known fields first; what reaches SQL is text of ours and bound values.

use axum::http::StatusCode;
use serde::Deserialize;
use sqlx::{QueryBuilder, Sqlite};

use super::Refused;

/// Longest filter.
const BYTES_MAX: usize = 4 * 1024;
/// Deepest nesting of parentheses and `not`.
const LEVELS_MAX: usize = 16;

/// A field that can be filtered by, and where it is in the database.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name in the API.
    pub name: &'static str,
    /// What is compared.
    pub column: Column,
}

/// What a field is compared as.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// An expression that is a text.
    Text(&'static str),
    /// An expression that is a number.
    Number(&'static str),
    /// A query for the ids of objects of which one of several texts is wanted: begins a condition
    /// that the comparison and a closing parenthesis end.
    Any {
        /// `id IN (SELECT … WHERE`
        begin: &'static str,
        /// The text in it.
        text: &'static str,
    },
}

/// A filter as it was sent, not read yet.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct FilterText(String);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Comma,
    Word(String),
    Text(String),
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

impl FilterText {
    /// Adds the filter to a query as one more condition.
    ///
    /// # Errors
    /// The filter cannot be read, is too long or too deep, or names an unknown field.
    pub fn push(
        &self,
        query: &mut QueryBuilder<Sqlite>,
        fields: &'static [Field],
    ) -> Result<(), Refused> {
        let node = read(&self.0, fields)?;
        query.push(" AND ");
        condition(&node, query);
        Ok(())
    }
}

fn read(text: &str, fields: &'static [Field]) -> Result<Node, Refused> {
    if text.len() > BYTES_MAX {
        return Err(malformed(&format!("is longer than {BYTES_MAX} bytes")));
    }
    let mut tokens = tokens(text)?;
    tokens.reverse();
    let mut reader = Reader { tokens, fields };
    let node = reader.either(LEVELS_MAX)?;
    match reader.tokens.pop() {
        None => Ok(node),
        Some(token) => Err(malformed(&format!("does not end before {token:?}"))),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Refused> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            ',' => tokens.push(Token::Comma),
            '"' => tokens.push(Token::Text(quoted(&mut rest)?)),
            space if space.is_whitespace() => {}
            first => {
                let mut word = String::from(first);
                while let Some(next) = rest.next_if(|next| is_of_a_word(*next)) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn is_of_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

fn quoted(rest: &mut impl Iterator<Item = char>) -> Result<String, Refused> {
    let mut text = String::new();
    loop {
        match rest.next() {
            Some('"') => return Ok(text),
            Some('\\') => text.extend(rest.next()),
            Some(character) => text.push(character),
            None => return Err(malformed("has a quotation mark without its other half")),
        }
    }
}

struct Reader {
    /// What is left, the next one last.
    tokens: Vec<Token>,
    fields: &'static [Field],
}

impl Reader {
    fn either(&mut self, levels: usize) -> Result<Node, Refused> {
        let mut nodes = vec![self.both(levels)?];
        while self.takes_word("or") {
            nodes.push(self.both(levels)?);
        }
        Ok(Node::One(nodes))
    }

    fn both(&mut self, levels: usize) -> Result<Node, Refused> {
        let mut nodes = vec![self.single(levels)?];
        while self.takes_word("and") {
            nodes.push(self.single(levels)?);
        }
        Ok(Node::All(nodes))
    }

    fn single(&mut self, levels: usize) -> Result<Node, Refused> {
        let Some(levels) = levels.checked_sub(1) else {
            return Err(Refused::new(
                StatusCode::BAD_REQUEST,
                "filter_too_deep",
                format!("A filter has at most {LEVELS_MAX} levels."),
            ));
        };
        if self.takes_word("not") {
            return Ok(Node::Not(Box::new(self.single(levels)?)));
        }
        match self.tokens.pop() {
            Some(Token::Open) => {
                let node = self.either(levels)?;
                self.expect(&Token::Close)?;
                Ok(node)
            }
            Some(Token::Word(name)) => self.comparison(&name),
            other => Err(unexpected("a field, not or (", other)),
        }
    }

    fn comparison(&mut self, name: &str) -> Result<Node, Refused> {
        let field = self.fields.iter().find(|field| field.name == name);
        let field = *field.ok_or_else(|| self.unknown(name))?;
        let comparison = match self.tokens.pop() {
            Some(Token::Word(word)) => comparison(&word),
            _ => None,
        };
        let comparison = comparison.ok_or_else(|| {
            malformed(&format!(
                "wants eq, ne, lt, gt, prefix, has or in after {name}"
            ))
        })?;
        let mut values = Vec::new();
        if comparison == Comparison::In {
            self.expect(&Token::Open)?;
            values.push(self.value(field)?);
            while self.tokens.last() == Some(&Token::Comma) {
                self.tokens.pop();
                values.push(self.value(field)?);
            }
            self.expect(&Token::Close)?;
        } else {
            values.push(self.value(field)?);
        }
        fits(field, comparison)?;
        Ok(Node::Compare(field, comparison, values))
    }

    fn value(&mut self, field: Field) -> Result<Value, Refused> {
        match (field.column, self.tokens.pop()) {
            (Column::Text(_) | Column::Any { .. }, Some(Token::Text(text))) => {
                Ok(Value::Text(text))
            }
            (Column::Number(_), Some(Token::Word(word))) => word
                .parse()
                .map(Value::Number)
                .map_err(|_| malformed(&format!("compares {} with a number", field.name))),
            (Column::Number(_), other) => Err(unexpected("a number", other)),
            (Column::Text(_) | Column::Any { .. }, other) => {
                Err(unexpected("a text in quotation marks", other))
            }
        }
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let there = matches!(self.tokens.last(), Some(Token::Word(next)) if next == word);
        if there {
            self.tokens.pop();
        }
        there
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), Refused> {
        match self.tokens.pop() {
            Some(token) if token == *wanted => Ok(()),
            other => Err(unexpected(&format!("{wanted:?}"), other)),
        }
    }

    fn unknown(&self, name: &str) -> Refused {
        let known: Vec<&str> = self.fields.iter().map(|field| field.name).collect();
        Refused::new(
            StatusCode::BAD_REQUEST,
            "unknown_field",
            format!("There is no field {name:?} to filter by."),
        )
        .hint(format!("Fields are {}.", known.join(", ")))
    }
}

fn comparison(word: &str) -> Option<Comparison> {
    Some(match word {
        "eq" => Comparison::Equal,
        "ne" => Comparison::Unequal,
        "lt" => Comparison::Less,
        "gt" => Comparison::Greater,
        "prefix" => Comparison::Prefix,
        "has" => Comparison::Has,
        "in" => Comparison::In,
        _ => return None,
    })
}

/// A number has no prefix, and of several texts none comes first.
fn fits(field: Field, comparison: Comparison) -> Result<(), Refused> {
    let fits = match field.column {
        Column::Text(_) => true,
        Column::Number(_) => !matches!(comparison, Comparison::Prefix | Comparison::Has),
        Column::Any { .. } => {
            matches!(
                comparison,
                Comparison::Equal | Comparison::Unequal | Comparison::Has | Comparison::In
            )
        }
    };
    let problem = || malformed(&format!("cannot compare {} in this way", field.name));
    if fits { Ok(()) } else { Err(problem()) }
}

fn condition(node: &Node, query: &mut QueryBuilder<Sqlite>) {
    match node {
        Node::All(nodes) => joined(nodes, " AND ", query),
        Node::One(nodes) => joined(nodes, " OR ", query),
        Node::Not(node) => {
            query.push("NOT ");
            condition(node, query);
        }
        Node::Compare(field, how, values) => match field.column {
            Column::Text(column) | Column::Number(column) => compare(column, *how, values, query),
            Column::Any { begin, text } => {
                if *how == Comparison::Unequal {
                    query.push("NOT ");
                }
                query.push(begin).push(" ");
                let how = if *how == Comparison::In {
                    Comparison::In
                } else {
                    Comparison::Equal
                };
                compare(text, how, values, query);
                query.push(")");
            }
        },
    }
}

fn joined(nodes: &[Node], between: &'static str, query: &mut QueryBuilder<Sqlite>) {
    query.push("(");
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            query.push(between);
        }
        condition(node, query);
    }
    query.push(")");
}

/// An absent column is the empty text, so that *not equal* means what it says.
fn compare(
    column: &'static str,
    how: Comparison,
    values: &[Value],
    query: &mut QueryBuilder<Sqlite>,
) {
    let operator = match how {
        Comparison::Equal | Comparison::In => " IN (",
        Comparison::Unequal => " NOT IN (",
        Comparison::Less => " < (",
        Comparison::Greater => " > (",
        Comparison::Prefix | Comparison::Has => {
            query.push("instr(COALESCE(").push(column).push(", ''), ");
            push_value(values.first(), query);
            let found = if how == Comparison::Has {
                ") > 0"
            } else {
                ") = 1"
            };
            query.push(found);
            return;
        }
    };
    query.push("COALESCE(").push(column).push(", '')");
    query.push(operator);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            query.push(", ");
        }
        push_value(Some(value), query);
    }
    query.push(")");
}

fn push_value(value: Option<&Value>, query: &mut QueryBuilder<Sqlite>) {
    match value {
        Some(Value::Text(text)) => query.push_bind(text.clone()),
        Some(Value::Number(number)) => query.push_bind(*number),
        None => query.push("NULL"),
    };
}

fn unexpected(wanted: &str, found: Option<Token>) -> Refused {
    let found = found.map_or_else(|| "its end".to_owned(), |token| format!("{token:?}"));
    malformed(&format!("wants {wanted} where {found} is"))
}

fn malformed(problem: &str) -> Refused {
    Refused::malformed(format!("The filter {problem}."))
        .hint("For example: state eq \"active\" and group in (\"sre\", \"dba\").")
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
        FilterText(text.to_owned()).push(&mut query, FIELDS)?;
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
            "uid eq 99999999999999999999",
            "group lt \"a\"",
            "password_verifier has \"a\"",
            "state eq \"a\" and",
        ];
        for text in bad {
            assert!(sql(text).is_err(), "{text}");
        }
        assert!(sql(&format!("state eq \"{}\"", "x".repeat(BYTES_MAX))).is_err());
    }

    #[test]
    fn pf_05_deep_filters_end_at_the_limit() {
        let nested =
            |levels: usize| format!("{}state eq \"a\"{}", "(".repeat(levels), ")".repeat(levels));
        assert!(sql(&nested(LEVELS_MAX - 1)).is_ok());
        assert!(sql(&nested(LEVELS_MAX)).is_err());
        assert!(sql(&"not ".repeat(1_000)).is_err());
        assert!(sql(&"(".repeat(4_000)).is_err());
    }
}
