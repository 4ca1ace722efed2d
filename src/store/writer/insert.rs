//! Many rows by few statements, which the database knows already: their texts differ by the number
//! of rows only, and that is one of a few.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityName, EntityTrait, IdenStatic, Iterable,
    Statement, Value,
};
use std::fmt::Write as _;

use crate::store::StoreError;

/// Rows of one statement, the largest first. A hundred rows of twenty columns are far below what
/// both databases bound.
const SIZES: [usize; 4] = [100, 20, 5, 1];

/// Inserts rows, with all their columns but `without`; `conflict` says what happens to those that
/// are there already (`ON CONFLICT …`).
pub(super) async fn insert<A>(
    db: &impl ConnectionTrait,
    rows: Vec<A>,
    without: Option<&str>,
    conflict: &str,
) -> Result<(), StoreError>
where
    A: ActiveModelTrait,
    <A::Entity as EntityTrait>::Column: Iterable,
{
    let columns: Vec<_> = <A::Entity as EntityTrait>::Column::iter()
        .filter(|column| Some(column.as_str()) != without)
        .collect();
    let names: Vec<&str> = columns.iter().map(IdenStatic::as_str).collect();
    let mut count = rows.len();
    let mut values: Vec<Value> = Vec::with_capacity(count * names.len());
    for mut row in rows {
        values.extend(columns.iter().map(|column| {
            let value = row.take(*column).into_value();
            value.unwrap_or(Value::String(None))
        }));
    }
    let backend = db.get_database_backend();
    let table = A::Entity::default();
    let mut rest = values.into_iter();
    for size in SIZES {
        while count >= size {
            count -= size;
            let text = text(backend, table.table_name(), &names, size, conflict);
            let some: Vec<Value> = rest.by_ref().take(size * names.len()).collect();
            db.execute_raw(Statement::from_sql_and_values(backend, text, some))
                .await?;
        }
    }
    Ok(())
}

/// What updates every column but the key, of rows that `only` says.
pub(super) fn update(key: &str, columns: &[&str], only: &str) -> String {
    let mut text = format!("ON CONFLICT (\"{key}\") DO UPDATE SET ");
    for (place, column) in columns.iter().filter(|column| **column != key).enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(text, "{comma}\"{column}\" = excluded.\"{column}\"");
    }
    format!("{text} {only}")
}

/// The names of all columns of a table.
pub(super) fn columns<E>() -> Vec<&'static str>
where
    E: EntityTrait,
    E::Column: Iterable,
{
    E::Column::iter().map(|column| column.as_str()).collect()
}

fn text(backend: DbBackend, table: &str, names: &[&str], rows: usize, conflict: &str) -> String {
    let mut text = format!(
        "INSERT INTO \"{table}\" (\"{}\") VALUES ",
        names.join("\", \"")
    );
    let mut parameter = 0;
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..names.len() {
            if column > 0 {
                text.push_str(", ");
            }
            parameter += 1;
            match backend {
                DbBackend::Postgres => {
                    let _ = write!(text, "${parameter}");
                }
                _ => text.push('?'),
            }
        }
        text.push(')');
    }
    text.push(' ');
    text.push_str(conflict);
    text
}
