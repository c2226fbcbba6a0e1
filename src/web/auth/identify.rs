//! The middleware before all routes: where a request comes from, who sent it, and whether they send too many.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::accounts::Auth;
use super::rules::Identity;
use crate::web::limits::{Caller, ClientAddress, Limits};

/// Puts a [`ClientAddress`] and an [`Identity`] into the request, and counts it. A refused credential does not end the
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
    request.extensions_mut().insert(address);
    request.extensions_mut().insert(identity);
    next.run(request).await
}
