//! The rules of the routes, as data: a route cannot be registered without one, the list of all can be walked, and the
//! same value is what guards the route.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use serde::Serialize;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder, SecurityRequirement};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::cookie::{Cookie, CookiePolicy};
use super::principal::{Principal, Resource, Scope, Visible, Who};
use super::{AuthError, csrf};
use crate::domain::{Problem, Role};
use crate::web::problem::{self, Answer, internal};

/// Who may use a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Everybody. The handler asks for no [`Access`].
    Public,
    /// Whoever has shown who they are; to change something, with more than the scope `read`.
    SignedIn,
    /// A person who signed in, and no program: what could make more credentials out of one.
    Person,
    /// Who runs the installation.
    Admin,
    /// Who has this role over what the request is about. The handler finds that out and asks [`Access`]; if it
    /// answers with success and has not asked, the answer is thrown away.
    Tenant(Role),
}

/// One row of the table.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RouteRule {
    /// The method.
    #[serde(serialize_with = "as_text")]
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: String,
    /// The rule.
    pub rule: Rule,
}

fn as_text<S: serde::Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

/// A router under construction, and the table of its rules.
pub struct Routes<S = ()> {
    router: OpenApiRouter<S>,
    table: Vec<RouteRule>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self { router: OpenApiRouter::default(), table: Vec::new() }
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what `utoipa_axum::routes!` makes of handlers of one path. They share the rule; a path that is for reading by
    /// some and for writing by others is added once for each. The answers that the rule leads to are documented here.
    #[must_use]
    pub fn add(mut self, rule: Rule, routes: UtoipaMethodRouter<S>) -> Self {
        let (schemas, mut paths, router) = routes;
        for (path, item) in &mut paths.paths {
            for (method, operation) in operations(item) {
                document(operation, rule);
                self.table.push(RouteRule { method, path: path.clone(), rule });
            }
        }
        let router = guarded(rule, router);
        Self { router: self.router.routes((schemas, paths, router)), table: self.table }
    }

    /// Adds a route that is not part of the API: pages, webhooks, Git. `methods` says which it answers.
    #[must_use]
    pub fn plain(mut self, rule: Rule, methods: &[Method], path: &str, router: MethodRouter<S>) -> Self {
        let rows = methods.iter().map(|method| RouteRule { method: method.clone(), path: path.to_owned(), rule });
        self.table.extend(rows);
        Self { router: self.router.route(path, guarded(rule, router)), table: self.table }
    }

    /// Adds the routes of another part.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        Self { router: self.router.merge(other.router), table: self.table }
    }

    /// The table of all rules, in the order in which the routes were added.
    #[must_use]
    pub fn table(&self) -> &[RouteRule] {
        &self.table
    }

    /// The router, its description, and the table. The description explains the problem document and how to sign in.
    pub fn split(self) -> (Router<S>, OpenApi, Vec<RouteRule>) {
        let (router, mut openapi) = self.router.split_for_parts();
        let components = openapi.components.get_or_insert_default();
        components.schemas.insert(PROBLEM_SCHEMA.to_owned(), problem::schema());
        components.add_security_scheme(
            SECURITY_SCHEMES[0],
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
        let cookie = ApiKeyValue::new(CookiePolicy::new(true).name(Cookie::Session));
        components.add_security_scheme(SECURITY_SCHEMES[1], SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        (router, openapi, self.table)
    }
}

fn operations(item: &mut PathItem) -> Vec<(Method, &mut Operation)> {
    let slots = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::OPTIONS, &mut item.options),
        (Method::HEAD, &mut item.head),
        (Method::PATCH, &mut item.patch),
        (Method::TRACE, &mut item.trace),
    ];
    slots.into_iter().filter_map(|(method, slot)| Some((method, slot.as_mut()?))).collect()
}

/// The name of the schema of a problem document.
const PROBLEM_SCHEMA: &str = "ProblemDocument";
/// The names under which the description of the API explains how to show who one is.
pub const SECURITY_SCHEMES: [&str; 2] = ["bearer", "session"];

/// Writes into the description what every guarded route may answer.
fn document(operation: &mut Operation, rule: Rule) {
    let mut answers = vec![("429", "Too many requests"), ("500", "A fault of the service")];
    if rule == Rule::Public {
        operation.security = Some(Vec::new());
    } else {
        let schemes = SECURITY_SCHEMES.map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
        operation.security = Some(schemes.into());
        answers.extend([("401", "Nobody is signed in"), ("403", "The role or scope is not enough")]);
    }
    for (status, meaning) in answers {
        if !operation.responses.responses.contains_key(status) {
            let schema = RefOr::Ref(Ref::from_schema_name(PROBLEM_SCHEMA));
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new().description(meaning).content("application/problem+json", content);
            operation.responses.responses.insert(status.to_owned(), RefOr::T(response.build()));
        }
    }
}

fn guarded<S: Clone + Send + Sync + 'static>(rule: Rule, router: MethodRouter<S>) -> MethodRouter<S> {
    router.route_layer(from_fn(move |request: Request, next: Next| guard(rule, request, next)))
}

/// Who a request comes from, as the outer middleware found out. Without it nobody is signed in.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Nothing was shown.
    Anonymous,
    /// What was shown does not count.
    Refused(AuthError),
    /// Somebody.
    Known {
        /// Who.
        principal: Arc<Principal>,
        /// Whether another site's page may have sent it: only what a cookie authenticates can be.
        cross_site: bool,
    },
}

async fn guard(rule: Rule, mut request: Request, next: Next) -> Response {
    let identity = request.extensions().get::<Identity>().cloned().unwrap_or(Identity::Anonymous);
    let admitted = match admit(rule, &identity, &request) {
        Ok(admitted) => admitted,
        Err(error) => return Answer::from(error).into_response(),
    };
    let Some(principal) = admitted else { return next.run(request).await };
    let asked = Arc::new(AtomicBool::new(false));
    let role = if let Rule::Tenant(role) = rule { Some(role) } else { None };
    request.extensions_mut().insert(Access { principal, role, asked: Arc::clone(&asked) });
    let response = next.run(request).await;
    let answered = !(response.status().is_client_error() || response.status().is_server_error());
    if role.is_some() && answered && !asked.load(Ordering::Relaxed) {
        tracing::error!("a route that depends on a tenant was answered without asking whose it is");
        return internal().into_response();
    }
    response
}

/// Who is let in, `None` for the handlers that do not ask.
fn admit(rule: Rule, identity: &Identity, request: &Request) -> Result<Option<Arc<Principal>>, AuthError> {
    let (method, headers) = (request.method(), request.headers());
    let (principal, cross_site) = match (rule, identity) {
        (Rule::Public, Identity::Known { principal, cross_site: false }) => return Ok(Some(Arc::clone(principal))),
        (Rule::Public, _) => return csrf::check_anonymous(method, headers).map(|()| None),
        (_, Identity::Anonymous) => return Err(AuthError::SignedOut),
        (_, Identity::Refused(error)) => return Err(error.clone()),
        (_, Identity::Known { principal, cross_site }) => (principal, *cross_site),
    };
    if cross_site && !csrf::is_safe(method) {
        return Err(AuthError::CrossSite);
    }
    let scope = if csrf::is_safe(method) { Scope::Read } else { Scope::Deploy };
    let allowed = match rule {
        Rule::Public => Ok(()),
        Rule::SignedIn if principal.scopes.allow(scope) => Ok(()),
        Rule::SignedIn => {
            Err(AuthError::Role { needs: if scope == Scope::Read { Role::Viewer } else { Role::Deployer } })
        }
        Rule::Person if matches!(principal.who, Who::Person { .. }) => Ok(()),
        Rule::Person => Err(AuthError::NotPerson),
        Rule::Admin if principal.administers() => Ok(()),
        Rule::Admin => Err(AuthError::NotAdmin),
        // Which tenant it is about is the handler's to find out.
        Rule::Tenant(_) => Ok(()),
    };
    allowed.map(|()| Some(Arc::clone(principal)))
}

/// A handler's way to ask whether the caller may do what the request is about.
#[derive(Clone, Debug)]
pub struct Access {
    principal: Arc<Principal>,
    role: Option<Role>,
    asked: Arc<AtomicBool>,
}

impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = Answer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Answer> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| AuthError::SignedOut.into())
    }
}

impl Access {
    /// Who asks.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Lets pass who has the route's role over what was found. What was not found, and what the caller may not even see,
    /// gets the very same answer, `absent`; who sees it and may not do this is told which role it takes.
    ///
    /// # Errors
    /// `absent`, or `auth.forbidden`.
    pub fn check(&self, found: Option<&Resource<'_>>, absent: impl FnOnce() -> Problem) -> Result<(), Answer> {
        self.check_role(found, self.role.unwrap_or(Role::Owner), absent)
    }

    /// As [`Access::check`], for what takes another role than the rest of the route.
    ///
    /// # Errors
    /// `absent`, or `auth.forbidden`.
    pub fn check_role(
        &self,
        found: Option<&Resource<'_>>,
        needs: Role,
        absent: impl FnOnce() -> Problem,
    ) -> Result<(), Answer> {
        self.asked.store(true, Ordering::Relaxed);
        match found.and_then(|resource| self.principal.role(resource)) {
            None => Err(absent().into()),
            Some(role) if role < needs => Err(AuthError::Role { needs }.into()),
            Some(_) => Ok(()),
        }
    }

    /// What a list may show of a fleet.
    #[must_use]
    pub fn visible(&self, fleet: &str) -> Visible {
        self.asked.store(true, Ordering::Relaxed);
        self.principal.visible(fleet)
    }
}

/// The answer about an app that is not there, or that is somebody else's. It repeats nothing of the request.
#[must_use]
pub fn no_such_app() -> Problem {
    Problem::new("app.not_found", "there is no such app")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::Path;
    use axum::routing::{get, post};
    use strum::IntoEnumIterator as _;
    use tower::ServiceExt as _;

    use crate::domain::TenantName;
    use crate::web::auth::principal::{Grant, Scopes};

    #[utoipa::path(get, path = "/api/apps/{id}", responses((status = 200)))]
    async fn read(access: Access, Path(id): Path<String>) -> Result<&'static str, Answer> {
        one(&access, &id)
    }

    #[utoipa::path(post, path = "/api/apps/{id}", responses((status = 200)))]
    async fn write(access: Access, Path(id): Path<String>) -> Result<&'static str, Answer> {
        one(&access, &id)
    }

    fn one(access: &Access, id: &str) -> Result<&'static str, Answer> {
        let growth: TenantName = "growth".parse().unwrap();
        let found = (id == "app-1").then_some(Resource { fleet: "main", tenant: Some(&growth), app: None });
        access.check(found.as_ref(), no_such_app).map(|()| "yes")
    }

    async fn forgets() -> &'static str {
        "the secrets of all tenants"
    }

    fn routes() -> Routes {
        let own = || async { "yes" };
        Routes::new()
            .add(Rule::Tenant(Role::Viewer), utoipa_axum::routes!(read))
            .add(Rule::Tenant(Role::Deployer), utoipa_axum::routes!(write))
            .merge(
                Routes::new()
                    .plain(Rule::Public, &[Method::GET, Method::POST], "/open", get(own).post(own))
                    .plain(Rule::SignedIn, &[Method::POST], "/mine", post(own))
                    .plain(Rule::Person, &[Method::POST], "/tokens", post(own))
                    .plain(Rule::Admin, &[Method::GET], "/settings", get(own))
                    .plain(Rule::Tenant(Role::Viewer), &[Method::GET], "/forgets", get(forgets)),
            )
    }

    fn principal(role: Option<Role>, is_admin: bool, scopes: Scopes) -> Principal {
        let grant =
            |role| Grant { fleet: Some("main".to_owned()), tenant: Some("growth".parse().unwrap()), apps: None, role };
        Principal {
            who: Who::Person { user: "u".to_owned(), session: "s".to_owned() },
            display: "local:a@example.com".to_owned(),
            is_admin,
            grants: role.map(grant).into_iter().collect(),
            scopes,
        }
    }

    async fn ask(identity: Identity, method: &str, path: &str) -> (u16, String) {
        let (router, _, _) = routes().split();
        let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(identity);
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn known(principal: Principal) -> Identity {
        Identity::Known { principal: Arc::new(principal), cross_site: false }
    }

    #[tokio::test]
    async fn every_route_keeps_its_rule_for_every_role() {
        let roles: Vec<Option<Role>> = std::iter::once(None).chain(Role::iter().map(Some)).collect();
        let all_scopes = [Scopes::default(), [Scope::Read].into(), [Scope::Deploy].into(), Scopes::all()];
        let table = routes().table().to_vec();
        assert_eq!(table.len(), 8);
        for RouteRule { method, path, rule } in table.iter().filter(|row| row.path != "/forgets") {
            let url = path.replace("{id}", "app-1");
            let (anonymous, _) = ask(Identity::Anonymous, method.as_str(), &url).await;
            assert_eq!(anonymous, if *rule == Rule::Public { 200 } else { 401 }, "{method} {path}");
            for (role, scopes) in roles.iter().flat_map(|role| all_scopes.iter().map(move |scopes| (role, scopes))) {
                for is_admin in [false, true] {
                    let somebody = principal(*role, is_admin, scopes.clone());
                    let own = if is_admin { Some(Role::Owner) } else { *role }.and_then(|role| scopes.cap(role));
                    let expected = match rule {
                        Rule::Public | Rule::Person => 200,
                        Rule::SignedIn if scopes.allow(Scope::Deploy) => 200,
                        Rule::Admin if is_admin && scopes.allow(Scope::Admin) => 200,
                        Rule::SignedIn | Rule::Admin => 403,
                        Rule::Tenant(needs) => own.map_or(404, |own| if own >= *needs { 200 } else { 403 }),
                    };
                    let (status, _) = ask(known(somebody), method.as_str(), &url).await;
                    assert_eq!(status, expected, "{method} {path}: {role:?}, administrator {is_admin}, {scopes:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_foreign_is_answered_like_what_is_absent() {
        let mut stranger = principal(Some(Role::Owner), false, Scopes::all());
        stranger.grants[0].tenant = Some("core".parse().unwrap());
        let foreign = ask(known(stranger.clone()), "GET", "/api/apps/app-1").await;
        let absent = ask(known(stranger), "GET", "/api/apps/app-2").await;
        assert_eq!(foreign, absent);
        assert_eq!(foreign.0, 404);
        assert!(foreign.1.contains("app.not_found"));
    }

    #[tokio::test]
    async fn a_handler_that_forgets_to_ask_answers_nothing() {
        let (status, body) = ask(known(principal(Some(Role::Owner), false, Scopes::all())), "GET", "/forgets").await;
        assert_eq!(status, 500);
        assert!(!body.contains("secrets"));
    }

    #[tokio::test]
    async fn programs_make_no_credentials_and_other_sites_change_nothing() {
        let mut program = principal(Some(Role::Owner), true, Scopes::all());
        program.who = Who::Token { token: "t".to_owned(), user: "u".to_owned() };
        assert_eq!(ask(known(program), "POST", "/tokens").await.0, 403);
        let person = Arc::new(principal(Some(Role::Owner), true, Scopes::all()));
        let elsewhere = Identity::Known { principal: person, cross_site: true };
        let (status, body) = ask(elsewhere.clone(), "POST", "/api/apps/app-1").await;
        assert!(status == 403 && body.contains("auth.csrf"), "{body}");
        assert_eq!(ask(elsewhere, "GET", "/api/apps/app-1").await.0, 200);
        let refused = Identity::Refused(AuthError::TokenInvalid);
        assert_eq!(ask(refused.clone(), "GET", "/settings").await.0, 401);
        assert_eq!(ask(refused, "GET", "/open").await.0, 200);
    }

    #[test]
    fn the_description_says_who_may() {
        let (_, openapi, _) = routes().split();
        let text = serde_json::to_value(&openapi).unwrap();
        let operation = &text["paths"]["/api/apps/{id}"]["post"];
        assert_eq!(operation["security"], serde_json::json!([{"bearer": []}, {"session": []}]));
        for status in ["200", "401", "403", "429", "500"] {
            assert!(operation["responses"][status].is_object(), "{status}: {operation}");
        }
        let components = &text["components"];
        assert_eq!(components["securitySchemes"]["session"]["name"], "__Host-wooo");
        assert_eq!(components["securitySchemes"]["bearer"]["scheme"], "bearer");
        assert!(components["schemas"]["ProblemDocument"]["properties"]["code"].is_object(), "{components}");
    }
}
