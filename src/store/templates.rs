//! The templates that apps are rendered from, for people to look at. Rendering does not read them here.

use jiff::Timestamp;

use super::statement::{Row, Statement, arg};
use super::{Error, Store, Tx};

/// A template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TemplateRecord {
    /// Its name: a path.
    pub name: String,
    /// What it is for, in one word.
    pub kind: String,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// Where it comes from: built in, or a fleet.
    pub source: String,
    /// The digest of its text.
    pub digest: String,
    /// When the index saw it change last.
    pub updated_at: Timestamp,
}

fn read(row: &Row) -> Result<TemplateRecord, Error> {
    Ok(TemplateRecord {
        name: row.get("name")?,
        kind: row.get("kind")?,
        description: row.get("description")?,
        source: row.get("source")?,
        digest: row.get("digest")?,
        updated_at: row.time("updated_at")?,
    })
}

fn select() -> Statement {
    Statement::new("SELECT name, kind, description, source, digest, updated_at FROM templates")
}

impl Store {
    /// The templates, by name.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn templates(&self) -> Result<Vec<TemplateRecord>, Error> {
        select().sql(" ORDER BY name").all(self.read()).await?.iter().map(read).collect()
    }

    /// A template.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn template(&self, name: &str) -> Result<Option<TemplateRecord>, Error> {
        select().sql(" WHERE name = ").arg(name).first(self.read()).await?.map(|row| read(&row)).transpose()
    }
}

impl Tx {
    /// Makes `templates` all that there are. One whose digest is the same keeps its time.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn replace_templates(&mut self, templates: &[TemplateRecord]) -> Result<(), Error> {
        let mut gone = Statement::new("DELETE FROM templates WHERE TRUE");
        if !templates.is_empty() {
            gone = gone.sql(" AND name NOT IN ").list(templates.iter().map(|template| &template.name));
        }
        gone.run(self.on()).await?;
        for template in templates {
            let fields = vec![
                ("name", arg(&template.name)),
                ("kind", arg(&template.kind)),
                ("description", arg(template.description.as_deref())),
                ("source", arg(&template.source)),
                ("digest", arg(&template.digest)),
                ("updated_at", arg(template.updated_at)),
            ];
            let statement = Statement::insert("templates", fields)
                .or_replace("name", &["kind", "description", "source", "digest"])
                .sql(", updated_at = CASE WHEN templates.digest = excluded.digest THEN templates.updated_at ")
                .sql("ELSE excluded.updated_at END");
            statement.run(self.on()).await?;
        }
        Ok(())
    }
}
