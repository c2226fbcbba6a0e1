//! The middleware before all routes: where a request comes from, who sent it, and whether they send too many.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::accounts::Auth;
use super::rules::Identity;
use crate::web::limits::{Caller, ClientAddress, Limits};
use crate::web::problem::{Answer, internal};

/// For the handlers whose subject is authentication itself.
impl<S: Send + Sync> FromRequestParts<S> for Auth {
    type Rejection = Answer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Answer> {
        parts.extensions.get::<Self>().cloned().ok_or_else(internal)
    }
}

/// Puts [`Auth`], a [`ClientAddress`] and an [`Identity`] into the request, and counts it. A refused credential does not end the
/// request here: a public route is for everybody, and the sign-in page must open with an old cookie too.
pub async fn identify(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let address = ClientAddress::of(&request, auth.proxies());
    let identity = match auth.identify(request.method(), request.headers()).await {
        Ok(identity) => identity,
        Err(answer) => return answer.into_response(),
    };
    if !Limits::exempts(request.uri().path()) {
        let counted = match &identity {
            Identity::Known { principal, .. } => auth.limits().count(Caller::Known(principal.key())),
            Identity::Anonymous => auth.limits().count(Caller::Address(address.key())),
            Identity::Refused(_) => auth.limits().count_sign_in(address),
        };
        if let Err(answer) = counted {
            return answer.into_response();
        }
    }
    request.extensions_mut().insert(auth);
    request.extensions_mut().insert(address);
    request.extensions_mut().insert(identity);
    next.run(request).await
}
