//! Lists: pages in a chosen order, filtered, each with the address of the next one. What a list can
//! be filtered and sorted by is one table of fields; pages go by the place of their last object, so
//! that none is missed or repeated while others come and go.

mod cursor;

use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use directory_api::rest::{Page, PageQuery};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::Refused;
use super::filter::{self, Column, Field, unknown_field};
use super::query::read;
use cursor::{Cursor, Key};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;
/// What every list understands, besides its own short forms.
const COMMON: [&str; 5] = ["limit", "cursor", "count", "sort", "filter"];

/// Where the objects of a list are, and what they can be filtered and sorted by.
#[derive(Debug)]
pub struct Listing {
    /// What is read of each object.
    pub columns: &'static str,
    /// The tables, joined.
    pub tables: &'static str,
    /// The expression that no two objects share.
    pub id: &'static str,
    /// Fields in the API.
    pub fields: &'static [Field],
    /// What `sort` is when nobody says; by `id` when empty.
    pub sorted: &'static str,
}

/// What was asked of a list; `wanted` are its own short forms.
#[derive(Debug)]
pub struct Asked<T> {
    /// The short forms of this list, such as `state`.
    pub wanted: T,
    limit: u32,
    common: PageQuery,
    path: String,
    pairs: Vec<(String, String)>,
}

/// For lists without short forms of their own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoShortForms {}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let pairs: Vec<(String, String)> = read(parts.uri.query().unwrap_or_default())?;
        let (common, own): (Vec<_>, Vec<_>) = pairs
            .iter()
            .cloned()
            .partition(|(name, _)| COMMON.contains(&name.as_str()));
        let wanted = of_pairs(&own).map_err(|refused| {
            refused.hint(format!("Every list also takes {}.", COMMON.join(", ")))
        })?;
        let common: PageQuery = of_pairs(&common)?;
        let limit = common.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let problem = format!("limit must be between 1 and {LIMIT_MAX}.");
            return Err(Refused::malformed(problem).field("limit", "malformed"));
        }
        let address = parts.extensions.get::<OriginalUri>();
        let address = address.map_or(&parts.uri, |original| &original.0);
        Ok(Self {
            wanted,
            limit,
            common,
            path: address.path().to_owned(),
            pairs,
        })
    }
}

fn of_pairs<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Refused> {
    let query = serde_urlencoded::to_string(pairs)
        .map_err(|error| Refused::malformed(error.to_string()))?;
    read(&query)
}

impl<T> Asked<T> {
    /// Whether a filter is there, which then also says which states are wanted.
    #[must_use]
    pub fn has_filter(&self) -> bool {
        self.common.filter.is_some()
    }

    /// The page as it is sent, with the address of the next one in `Link`.
    pub fn answer<Object: Serialize>(&self, page: Page<Object>) -> Response {
        let next = page.next_cursor.as_deref().and_then(|next| self.link(next));
        let mut response = Json(page).into_response();
        if let Some(link) = next {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }

    fn link(&self, next: &str) -> Option<HeaderValue> {
        let others = self.pairs.iter().filter(|(name, _)| name != "cursor");
        let mut pairs: Vec<(&str, &str)> = others
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        pairs.push(("cursor", next));
        let query = serde_urlencoded::to_string(pairs).ok()?;
        HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", self.path)).ok()
    }
}

/// The order of one list.
struct Order {
    name: String,
    /// Where it goes by a field and not by `id` alone.
    field: Option<Column>,
    descending: bool,
}

impl Listing {
    /// A query for objects of this kind.
    #[must_use]
    pub fn select(&self) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(self.columns).push(" FROM ").push(self.tables);
        query
    }

    /// One page. `narrow` adds conditions of the call itself, each beginning with ` AND `.
    ///
    /// # Errors
    /// The filter, the order or the cursor cannot be read, or the database fails.
    pub async fn page<Object, T>(
        &self,
        asked: &Asked<T>,
        narrow: impl Fn(&mut QueryBuilder<Sqlite>),
        database: &mut SqliteConnection,
    ) -> Result<Page<Object>, Refused>
    where
        Object: for<'row> FromRow<'row, SqliteRow>,
    {
        let order = self.order(asked.common.sort.as_deref().unwrap_or(self.sorted))?;
        let mut query = QueryBuilder::new("SELECT ");
        query.push(self.columns).push(", ").push(self.id);
        query.push(" AS page_id, ");
        order.push_key(self.id, &mut query);
        query.push(" AS page_key FROM ").push(self.tables);
        self.push_conditions(asked, &narrow, &mut query)?;
        let cursor = asked.common.cursor.as_deref();
        if let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) {
            order.push_behind(self.id, &Cursor::read(cursor, &order.name)?, &mut query);
        }
        let direction = if order.descending { " DESC" } else { "" };
        query.push(" ORDER BY page_key").push(direction);
        query.push(", page_id").push(direction).push(" LIMIT ");
        query.push_bind(i64::from(asked.limit) + 1);
        let mut rows = query.build().fetch_all(&mut *database).await?;
        let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
        // One object more than fits tells whether there is another page.
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        Ok(Page {
            next_cursor: last.map(|row| order.place_of(row)).transpose()?,
            total: self.total(asked, &narrow, database).await?,
            items: rows
                .iter()
                .map(Object::from_row)
                .collect::<Result<_, _>>()?,
        })
    }

    fn push_conditions<T>(
        &self,
        asked: &Asked<T>,
        narrow: &impl Fn(&mut QueryBuilder<Sqlite>),
        query: &mut QueryBuilder<Sqlite>,
    ) -> Result<(), Refused> {
        query.push(" WHERE 1 = 1");
        narrow(query);
        match &asked.common.filter {
            Some(filter) => filter::push(filter, query, self.fields),
            None => Ok(()),
        }
    }

    /// The number of objects that fit, where it is wanted.
    async fn total<T>(
        &self,
        asked: &Asked<T>,
        narrow: &impl Fn(&mut QueryBuilder<Sqlite>),
        database: &mut SqliteConnection,
    ) -> Result<Option<u64>, Refused> {
        if !asked.common.count.unwrap_or(false) {
            return Ok(None);
        }
        let mut query = QueryBuilder::new("SELECT COUNT(*) FROM ");
        query.push(self.tables);
        self.push_conditions(asked, narrow, &mut query)?;
        let total: i64 = query.build_query_scalar().fetch_one(database).await?;
        Ok(Some(total.unsigned_abs()))
    }

    fn order(&self, sort: &str) -> Result<Order, Refused> {
        let (name, descending) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort, false),
        };
        let field = match name {
            "" | "id" => None,
            name => {
                let known = self.fields.iter().find(|field| field.name == name);
                Some(
                    known
                        .ok_or_else(|| unknown_field(name, self.fields))?
                        .column,
                )
            }
        };
        if matches!(field, Some(Column::Any { .. })) {
            let problem = format!("An object has many {name}: it has no place by them.");
            return Err(Refused::malformed(problem).field("sort", "malformed"));
        }
        Ok(Order {
            name: sort.to_owned(),
            field,
            descending,
        })
    }
}

impl Order {
    fn is_text(&self) -> bool {
        !matches!(
            self.field,
            Some(Column::Number(_) | Column::Moment(_) | Column::Truth(_))
        )
    }

    /// An absent moment comes before all others.
    fn push_key(&self, id: &'static str, query: &mut QueryBuilder<Sqlite>) {
        match self.field {
            None | Some(Column::Any { .. }) => query.push(id),
            Some(Column::Moment(expression)) => {
                query.push("COALESCE(").push(expression).push(", -1)")
            }
            Some(
                Column::Text(expression) | Column::Number(expression) | Column::Truth(expression),
            ) => query.push(expression),
        };
    }

    fn push_behind(&self, id: &'static str, last: &Cursor, query: &mut QueryBuilder<Sqlite>) {
        query.push(" AND (");
        self.push_key(id, query);
        query.push(", ").push(id);
        query.push(if self.descending { ") < (" } else { ") > (" });
        match &last.key {
            Key::Text(text) => query.push_bind(text.clone()),
            Key::Number(number) => query.push_bind(*number),
        };
        query.push(", ").push_bind(last.id.clone()).push(")");
    }

    fn place_of(&self, row: &SqliteRow) -> Result<String, Refused> {
        let key = if self.is_text() {
            Key::Text(row.try_get("page_key")?)
        } else {
            Key::Number(row.try_get("page_key")?)
        };
        let place = Cursor {
            sort: self.name.clone(),
            key,
            id: row.try_get("page_id")?,
        };
        place.written()
    }
}
