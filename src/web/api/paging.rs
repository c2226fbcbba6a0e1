//! Pages of lists, as queries ask for them and answers give them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Problem;
use crate::store::{Cursor, Limit, Page, Paging};
use crate::web::problem::Answer;

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::web) struct Listing<T: ToSchema> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// What to give as `cursor` for the next part; null at the end.
    pub next: Option<String>,
}

impl<T: ToSchema> Listing<T> {
    /// A page, each of whose items is shown as `view` says.
    pub(in crate::web) fn of<R>(page: Page<R>, view: impl FnMut(R) -> T) -> Self {
        Self { next: page.next.map(|next| next.to_string()), items: page.items.into_iter().map(view).collect() }
    }

    /// A list that is never long.
    pub(in crate::web) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// Which page a query asks for.
///
/// # Errors
/// `page.too_large`, `page.empty`, `page.cursor`.
pub(in crate::web) fn paging(limit: Option<u64>, cursor: Option<&str>) -> Result<Paging, Answer> {
    let limit = match limit {
        None => Limit::default(),
        Some(0) => return Err(Problem::new("page.empty", "a page has at least one item").field("limit").into()),
        Some(number) => match u32::try_from(number) {
            Ok(number) if number <= Limit::MAX => Limit::new(number),
            _ => {
                let detail = format!("a page has at most {} items", Limit::MAX);
                return Err(Problem::new("page.too_large", detail).field("limit").into());
            }
        },
    };
    let after = cursor.map(str::parse::<Cursor>).transpose()?;
    Ok(Paging { limit, after })
}
