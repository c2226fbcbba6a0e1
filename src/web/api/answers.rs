//! The refusals that kinds of routes share, for the description of the API.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// The name of the schema of a problem document.
const PROBLEM: &str = "ProblemDocument";

fn problems(rows: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let one = |(status, meaning): &(&str, &str)| {
        let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name(PROBLEM)))).build();
        let response = ResponseBuilder::new().description(*meaning).content("application/problem+json", content);
        ((*status).to_owned(), RefOr::T(response.build()))
    };
    rows.iter().map(one).collect()
}

const MALFORMED: (&str, &str) = ("400", "An id, a query or a body that cannot be read");
const ABSENT: (&str, &str) = ("404", "There is no such thing, or it is somebody else's");
const UNAVAILABLE: (&str, &str) = ("503", "The service cannot do it now; Retry-After may say when");
const CONFLICT: (&str, &str) = ("409", "What is there stands in the way");
const REFUSED: (&str, &str) = ("422", "It can be read and is not possible");

/// What may be answered instead of something that was to be read.
pub(in crate::web) struct Reading;

impl IntoResponses for Reading {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[MALFORMED, ABSENT, CONFLICT, REFUSED, UNAVAILABLE, ("502", "Another service did not answer")])
    }
}

/// What may be answered instead of something that was to be done.
pub(in crate::web) struct Writing;

impl IntoResponses for Writing {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            MALFORMED,
            ABSENT,
            CONFLICT,
            ("412", "It was changed since it was read"),
            ("413", "The body is too large"),
            ("415", "The body is not JSON"),
            REFUSED,
            ("502", "A forge or a source did not answer as it should"),
            UNAVAILABLE,
            ("504", "A forge or a source did not answer in time"),
        ])
    }
}
