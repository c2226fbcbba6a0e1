//! What came in from outside: written down before it is answered, each delivery once.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use super::statement::{Row, Statement, arg};
use super::{DeliveryId, Error, Store, Tx};

/// A delivery that has just come in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewDelivery {
    /// Where it comes from: a forge or Alertmanager, as the service's settings name it.
    pub source: String,
    /// What the sender calls it. Sent again, it is the same.
    pub delivery: String,
    /// What it is about, in the sender's words.
    pub kind: String,
    /// What was sent.
    pub body: String,
}

/// A delivery that was written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delivery {
    /// Its identity.
    pub id: DeliveryId,
    /// What came in.
    pub content: NewDelivery,
    /// When.
    pub received_at: Timestamp,
    /// When it was dealt with.
    pub processed_at: Option<Timestamp>,
    /// What was wrong with it.
    pub error: Option<String>,
}

const COLUMNS: &str = "id, source, delivery, kind, body, received_at, processed_at, error";

fn read(row: &Row) -> Result<Delivery, Error> {
    Ok(Delivery {
        id: row.parse("id")?,
        content: NewDelivery {
            source: row.get("source")?,
            delivery: row.get("delivery")?,
            kind: row.get("kind")?,
            body: row.get("body")?,
        },
        received_at: row.time("received_at")?,
        processed_at: row.time_or_null("processed_at")?,
        error: row.get("error")?,
    })
}

impl Store {
    /// A delivery.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM inbox WHERE id = ").arg(id);
        statement.first(self.read()).await?.map(|row| read(&row)).transpose()
    }

    /// A delivery, by where it came from and what its sender calls it.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn delivery_named(&self, source: &str, delivery: &str) -> Result<Option<Delivery>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM inbox WHERE source = ").arg(source);
        let statement = statement.sql(" AND delivery = ").arg(delivery);
        statement.first(self.read()).await?.map(|row| read(&row)).transpose()
    }

    /// How many deliveries nobody has dealt with, and how many are kept that somebody has.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn delivery_counts(&self) -> Result<(i64, i64), Error> {
        let sql = "SELECT COUNT(*) AS kept, COUNT(processed_at) AS processed FROM inbox";
        let Some(row) = Statement::new(sql).first(self.read()).await? else { return Ok((0, 0)) };
        let (kept, processed): (i64, i64) = (row.get("kept")?, row.get("processed")?);
        Ok((kept - processed, processed))
    }

    /// The oldest deliveries that nobody has dealt with, at most `limit`.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn pending_deliveries(&self, limit: u32) -> Result<Vec<Delivery>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM inbox WHERE processed_at IS NULL");
        let statement = statement.sql(" ORDER BY received_at, id LIMIT ").arg(limit);
        statement.all(self.read()).await?.iter().map(read).collect()
    }

    /// The oldest deliveries from one source that nobody has dealt with, at most `limit`.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn pending_deliveries_from(&self, source: &str, limit: u32) -> Result<Vec<Delivery>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM inbox WHERE processed_at IS NULL");
        let statement = statement.sql(" AND source = ").arg(source).sql(" ORDER BY received_at, id LIMIT ").arg(limit);
        statement.all(self.read()).await?.iter().map(read).collect()
    }

    /// Deletes what was dealt with longer than `age` ago, and says how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn prune_inbox(&self, age: Duration) -> Result<u64, Error> {
        Statement::new("DELETE FROM inbox WHERE processed_at < {now} - ").arg(age).run(self.write()).await
    }
}

impl Tx {
    /// Writes a delivery down; `None` if it came before.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn insert_delivery(&mut self, delivery: &NewDelivery) -> Result<Option<DeliveryId>, Error> {
        let id = DeliveryId::random();
        let fields = vec![
            ("id", arg(&id)),
            ("source", arg(&delivery.source)),
            ("delivery", arg(&delivery.delivery)),
            ("kind", arg(&delivery.kind)),
            ("body", arg(&delivery.body)),
        ];
        let statement = Statement::insert("inbox", fields).with_now("received_at");
        let new = statement.sql(" ON CONFLICT (source, delivery) DO NOTHING").run(self.on()).await? == 1;
        Ok(new.then_some(id))
    }

    /// Writes many deliveries down in one statement; `None` for each that came before, in this list or earlier.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn insert_deliveries(&mut self, deliveries: &[NewDelivery]) -> Result<Vec<Option<DeliveryId>>, Error> {
        if deliveries.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<DeliveryId> = deliveries.iter().map(|_| DeliveryId::random()).collect();
        let mut statement = Statement::new("INSERT INTO inbox (id, source, delivery, kind, body, received_at) VALUES ");
        for (index, (id, delivery)) in ids.iter().zip(deliveries).enumerate() {
            statement = statement.sql(if index > 0 { ", (" } else { "(" }).arg(id);
            for value in [&delivery.source, &delivery.delivery, &delivery.kind, &delivery.body] {
                statement = statement.sql(", ").arg(value);
            }
            statement = statement.sql(", {now})");
        }
        let statement = statement.sql(" ON CONFLICT (source, delivery) DO NOTHING RETURNING id");
        let rows = statement.all(self.on()).await?;
        let new = rows.iter().map(|row| row.parse("id")).collect::<Result<HashSet<DeliveryId>, Error>>()?;
        Ok(ids.into_iter().map(|id| new.contains(&id).then_some(id)).collect())
    }

    /// Notes that deliveries were dealt with and that nothing was wrong with them.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn finish_deliveries(&mut self, ids: &[DeliveryId]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let statement = Statement::new("UPDATE inbox SET processed_at = {now} WHERE id IN ").list(ids);
        statement.run(self.on()).await.map(drop)
    }

    /// Notes that a delivery was dealt with, and what was wrong with it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn finish_delivery(&mut self, id: &DeliveryId, error: Option<&str>) -> Result<(), Error> {
        let statement = Statement::update("inbox", vec![("error", arg(error))]);
        match statement.sql(", processed_at = {now} WHERE id = ").arg(id).run(self.on()).await? {
            0 => Err(Error::NotFound { what: "delivery" }),
            _ => Ok(()),
        }
    }
}
