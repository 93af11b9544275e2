//! Writes the tree of a filter as a condition of SQL. Values are bound, never written.

use sqlx::{QueryBuilder, Sqlite};

use super::{Column, Comparison, Node, Value};

pub(super) fn condition(node: &Node, query: &mut QueryBuilder<Sqlite>) {
    match node {
        Node::All(nodes) => joined(nodes, " AND ", query),
        Node::One(nodes) => joined(nodes, " OR ", query),
        Node::Not(node) => {
            query.push("NOT ");
            condition(node, query);
        }
        Node::Compare(field, how, values) => match field.column {
            Column::Text(column) | Column::Number(column) | Column::Truth(column) => {
                compare(column, *how, values, query);
            }
            Column::Moment(column) => {
                // An absent moment is neither before nor after any, and unequal to all.
                query.push("COALESCE(");
                compare(column, *how, values, query);
                let without = if *how == Comparison::Unequal {
                    ", 1)"
                } else {
                    ", 0)"
                };
                query.push(without);
            }
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
            query.push("instr(").push(column).push(", ");
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
    query.push(column).push(operator);
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
