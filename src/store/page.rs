//! Lists by pages: newest first, by the time and the identifier of the last row that was seen.

use super::StoreError;
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The most rows that one page can have.
pub const MAX_LIMIT: u64 = 500;

/// A place in a list: after this row. Its text is opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the row.
    pub at: DateTime<Utc>,
    /// Its identifier.
    pub id: Uuid,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.at.timestamp_micros(), self.id.simple())
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (at, id) = text.split_once('-').ok_or(CursorError)?;
        let at = i64::from_str_radix(at, 16)
            .ok()
            .and_then(DateTime::from_timestamp_micros);
        let id = Uuid::try_parse(id).ok();
        at.zip(id)
            .map(|(at, id)| Self { at, id })
            .ok_or(CursorError)
    }
}

/// Which page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// Most rows, 1 to [`MAX_LIMIT`].
    pub limit: u64,
    /// After which row; `None`: from the newest on.
    pub after: Option<Cursor>,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            limit: 50,
            after: None,
        }
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<Cursor>,
}

/// Reads one page of a query, ordered by the two columns, newest first.
pub(super) async fn read<E, C, T>(
    db: &DatabaseConnection,
    select: Select<E>,
    (at, id): (C, C),
    paging: Paging,
    row: impl Fn(E::Model) -> Result<(Cursor, T), StoreError>,
) -> Result<Page<T>, StoreError>
where
    E: EntityTrait,
    C: ColumnTrait,
{
    let limit = paging.limit.clamp(1, MAX_LIMIT);
    let mut select = select.order_by_desc(at).order_by_desc(id).limit(limit + 1);
    if let Some(after) = paging.after {
        select = select.filter(
            Condition::any()
                .add(at.lt(after.at))
                .add(Condition::all().add(at.eq(after.at)).add(id.lt(after.id))),
        );
    }
    let mut rows = select.all(db).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let rows = rows.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
    Ok(Page {
        next: rows.last().filter(|_| more).map(|(cursor, _)| *cursor),
        items: rows.into_iter().map(|(_, item)| item).collect(),
    })
}
