//! Reads the text of a filter: tokens, then a tree in which every field is known and every value is
//! of its kind.

use axum::http::StatusCode;
use directory_api::rest::Time;

use super::{Column, Comparison, Field, Node, Value};
use crate::http::Refused;

/// Longest filter.
pub(super) const BYTES_MAX: usize = 4 * 1024;
/// Deepest nesting of parentheses and `not`.
pub(super) const LEVELS_MAX: usize = 16;
const NAME_BYTES_SHOWN: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Comma,
    Word(String),
    Text(String),
}

pub(super) fn tree(text: &str, fields: &'static [Field]) -> Result<Node, Refused> {
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
        let field = *field.ok_or_else(|| unknown_field(name, self.fields))?;
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
        let token = self.tokens.pop();
        let name = field.name;
        match (field.column, token) {
            (Column::Text(_) | Column::Any { .. }, Some(Token::Text(text))) => {
                Ok(Value::Text(text))
            }
            (Column::Moment(_), Some(Token::Text(text))) => {
                moment(&text).ok_or_else(|| malformed(&format!("compares {name} with a moment")))
            }
            (Column::Number(_), Some(Token::Word(word))) => word
                .parse()
                .map(Value::Number)
                .map_err(|_| malformed(&format!("compares {name} with a number"))),
            (Column::Truth(_), Some(Token::Word(word))) => truth(&word)
                .ok_or_else(|| malformed(&format!("compares {name} with true or false"))),
            (Column::Number(_), other) => Err(unexpected("a number", other)),
            (Column::Truth(_), other) => Err(unexpected("true or false", other)),
            (Column::Moment(_), other) => Err(unexpected(
                "a moment such as \"2026-03-02T14:00:00Z\"",
                other,
            )),
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
}

/// Who names a field that a list does not have is told which it has.
pub(in crate::http) fn unknown_field(name: &str, fields: &[Field]) -> Refused {
    let name = posix_names::clean_line(name, NAME_BYTES_SHOWN);
    let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
    Refused::new(
        StatusCode::BAD_REQUEST,
        "unknown_field",
        format!("There is no field {name} in this list."),
    )
    .field(&name, "unknown_field")
    .hint(format!("Fields are {}.", known.join(", ")))
}

fn moment(text: &str) -> Option<Value> {
    let time: Time = serde_json::from_value(text.into()).ok()?;
    Some(Value::Number(time.as_millisecond()))
}

fn truth(word: &str) -> Option<Value> {
    match word {
        "true" => Some(Value::Number(1)),
        "false" => Some(Value::Number(0)),
        _ => None,
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

/// A number has no prefix, a truth no order, and of several texts none comes first.
fn fits(field: Field, comparison: Comparison) -> Result<(), Refused> {
    let fits = match field.column {
        Column::Text(_) => true,
        Column::Number(_) | Column::Moment(_) => {
            !matches!(comparison, Comparison::Prefix | Comparison::Has)
        }
        Column::Truth(_) => matches!(comparison, Comparison::Equal | Comparison::Unequal),
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

fn unexpected(wanted: &str, found: Option<Token>) -> Refused {
    let found = found.map_or_else(|| "its end".to_owned(), |token| format!("{token:?}"));
    malformed(&format!("wants {wanted} where {found} is"))
}

fn malformed(problem: &str) -> Refused {
    Refused::malformed(format!("The filter {problem}."))
        .hint("For example: state eq \"active\" and group in (\"sre\", \"dba\").")
}
