//! Pipelines without a secret: a token that GitHub Actions or GitLab CI signs for a job is exchanged for a short-lived one
//! of ours, if a trust rule names the repository.
//!
//! Repositories are known by number. A name can be given up and taken by somebody else, and would then carry the trust
//! with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::AuthError;
use super::oidc::{Issuer, KeyLife, text};
use super::outbound::Outbound;
use super::principal::Grant;
use super::session::PipelineClaims;
use crate::domain::{AppName, Role, TenantName};

/// Whose claims an issuer's tokens carry.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum PipelineKind {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}

/// An issuer whose tokens are exchanged.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// `iss` of its tokens, exactly: `https://token.actions.githubusercontent.com`, or the address of a GitLab.
    pub url: String,
    /// What its claims are called.
    pub kind: PipelineKind,
    /// The audience that a pipeline has to ask for; the service's public address if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// Which pipelines may deploy which apps. Every condition that is given has to hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRule {
    /// The name of an issuer.
    pub issuer: String,
    /// The number of the repository (GitHub) or project (GitLab).
    pub repository_id: u64,
    /// Full refs (`refs/heads/main`, `refs/tags/v*`); a `*` at the end stands for anything. Without them the ref has to
    /// be one that the forge protects: else whoever may push a branch could deploy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<String>,
    /// The forge's environment that the job runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The file that defines the pipeline: `.github/workflows/deploy.yml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The fleet, or all that the service has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// The tenant whose apps they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// The apps; all of the tenant's if they are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apps: Option<BTreeSet<AppName>>,
}

/// Keyless CI, as the settings state it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineSettings {
    /// Issuers by a name of our own.
    #[serde(default)]
    pub issuers: BTreeMap<String, IssuerSettings>,
    /// The rules; a pipeline gets what all that admit it give.
    #[serde(default)]
    pub rules: Vec<TrustRule>,
}

/// A job, as its token describes it, in the words of both forges.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Job {
    repository_id: u64,
    repository: String,
    git_ref: String,
    protected: bool,
    environment: Option<String>,
    workflow: Option<String>,
    /// The pipeline runs for a proposal, so that its author decides what it runs.
    proposed: bool,
}

impl TrustRule {
    fn admits(&self, issuer: &str, job: &Job) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => job.git_ref.starts_with(start),
            None => job.git_ref == *pattern,
        };
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        self.issuer == issuer
            && self.repository_id == job.repository_id
            && !job.proposed
            && if self.refs.is_empty() { job.protected } else { self.refs.iter().any(fits) }
            && same(&self.environment, &job.environment)
            && same(&self.workflow, &job.workflow)
    }

    fn grant(&self) -> Grant {
        let (fleet, tenant, apps) = (self.fleet.clone(), self.tenant.clone(), self.apps.clone());
        Grant { fleet, tenant, apps, role: Role::Deployer }
    }

    fn check(&self) -> Result<(), String> {
        if self.tenant.is_none() && self.apps.as_ref().is_none_or(BTreeSet::is_empty) {
            return Err("names neither a tenant nor an app, so it would trust for nothing".to_owned());
        }
        match self
            .refs
            .iter()
            .find(|pattern| !pattern.starts_with("refs/") || pattern.trim_end_matches('*').contains('*'))
        {
            Some(pattern) => {
                Err(format!("has the ref `{pattern}`; a ref begins with refs/ and has a `*` only at its end"))
            }
            None => Ok(()),
        }
    }
}

/// Exchanges the tokens of pipelines.
#[derive(Debug)]
pub struct Exchange {
    issuers: Vec<Trusted>,
    rules: Vec<TrustRule>,
}

#[derive(Debug)]
struct Trusted {
    name: String,
    kind: PipelineKind,
    audience: String,
    issuer: Issuer,
}

impl Exchange {
    /// Checks the settings. Nothing is asked of an issuer before its first token comes.
    ///
    /// # Errors
    /// [`AuthError::Settings`] with the rule or issuer that is wrong.
    pub fn new(
        settings: PipelineSettings,
        public_url: &str,
        http: &Outbound,
        life: KeyLife,
    ) -> Result<Self, AuthError> {
        for (at, rule) in settings.rules.iter().enumerate() {
            let wrong = |what: &str| AuthError::Settings(format!("trust rule {} {what}", at + 1));
            rule.check().map_err(|what| wrong(&what))?;
            if !settings.issuers.contains_key(&rule.issuer) {
                return Err(wrong(&format!("names the issuer `{}`, which is not there", rule.issuer)));
            }
        }
        let trusted = |(name, of): (String, IssuerSettings)| {
            let audience = of.audience.filter(|audience| !audience.is_empty()).unwrap_or(public_url.to_owned());
            Ok(Trusted { name, kind: of.kind, audience, issuer: Issuer::new(&of.url, http.clone(), life)? })
        };
        let issuers = settings.issuers.into_iter().map(trusted).collect::<Result<Vec<_>, AuthError>>()?;
        Ok(Self { issuers, rules: settings.rules })
    }

    /// What a pipeline may do.
    ///
    /// # Errors
    /// [`AuthError::TokenInvalid`] if the token is not one of a known issuer for us, [`AuthError::NotTrusted`] if no rule
    /// admits it, [`AuthError::Provider`] if the issuer's keys cannot be had.
    pub async fn exchange(&self, token: &str) -> Result<PipelineClaims, AuthError> {
        // Only to choose whose keys to check it with; nothing unchecked is used for anything else.
        let claimed: IssuerClaim =
            jsonwebtoken::dangerous::insecure_decode(token).map_err(|_| AuthError::TokenInvalid)?.claims;
        let trusted = self.issuers.iter().find(|known| known.issuer.url() == claimed.iss);
        let trusted = trusted.ok_or(AuthError::TokenInvalid)?;
        let claims = trusted.issuer.verify(token, &trusted.audience, true).await?;
        let job = match trusted.kind {
            PipelineKind::Github => github(&claims),
            PipelineKind::Gitlab => gitlab(&claims),
        };
        let job = job.ok_or(AuthError::TokenInvalid)?;
        let admitting = self.rules.iter().filter(|rule| rule.admits(&trusted.name, &job));
        let grants: Vec<Grant> = admitting.map(TrustRule::grant).collect();
        if grants.is_empty() {
            tracing::info!(
                issuer = trusted.name,
                repository = job.repository_id,
                git_ref = job.git_ref,
                "no trust rule"
            );
            return Err(AuthError::NotTrusted);
        }
        Ok(PipelineClaims { display: format!("ci:{}:{}", trusted.kind, job.repository), grants })
    }
}

#[derive(Clone, Deserialize)]
struct IssuerClaim {
    iss: String,
}

/// Forges write numbers as texts.
fn number(claims: &Map<String, Value>, name: &str) -> Option<u64> {
    let number: Flexible = serde_json::from_value(claims.get(name)?.clone()).ok()?;
    Some(number.0).filter(|number| *number > 0)
}

struct Flexible(u64);

impl<'de> Deserialize<'de> for Flexible {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

fn truth(claims: &Map<String, Value>, name: &str) -> bool {
    matches!(claims.get(name), Some(Value::Bool(true))) || text(claims, name) == Some("true")
}

/// A repository's path goes into commits and the audit; what is not plainly one is not let in.
fn path(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let path = text(claims, name)?;
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'/');
    (path.len() <= 255 && path.bytes().all(plain)).then(|| path.to_owned())
}

/// The claims of <https://docs.github.com/en/actions/reference/security/oidc>.
fn github(claims: &Map<String, Value>) -> Option<Job> {
    let repository = path(claims, "repository")?;
    // `org/repo/.github/workflows/deploy.yml@refs/heads/main`
    let workflow = text(claims, "workflow_ref").and_then(|text| {
        let file = text.strip_prefix(&repository)?.strip_prefix('/')?;
        file.rsplit_once('@').map(|(file, _)| file.to_owned())
    });
    let event = text(claims, "event_name")?;
    Some(Job {
        repository_id: number(claims, "repository_id")?,
        git_ref: text(claims, "ref")?.to_owned(),
        protected: truth(claims, "ref_protected"),
        environment: text(claims, "environment").map(str::to_owned),
        workflow,
        // Both kinds: `pull_request_target` runs on the base branch, and often with the proposal's files.
        proposed: event.starts_with("pull_request"),
        repository,
    })
}

/// The claims of <https://docs.gitlab.com/ci/secrets/id_token_authentication/>.
fn gitlab(claims: &Map<String, Value>) -> Option<Job> {
    let name = text(claims, "ref")?;
    let git_ref = match (text(claims, "ref_path"), text(claims, "ref_type")) {
        (Some(path), _) => path.to_owned(),
        (None, Some("branch")) => format!("refs/heads/{name}"),
        (None, Some("tag")) => format!("refs/tags/{name}"),
        _ => return None,
    };
    // `gitlab.example/group/project//.gitlab-ci.yml@refs/heads/main`
    let workflow = text(claims, "ci_config_ref_uri").and_then(|text| {
        let (_, file) = text.split_once("//")?;
        file.rsplit_once('@').map(|(file, _)| file.to_owned())
    });
    let source = text(claims, "pipeline_source")?;
    Some(Job {
        repository_id: number(claims, "project_id")?,
        repository: path(claims, "project_path")?,
        git_ref,
        protected: truth(claims, "ref_protected"),
        environment: text(claims, "environment").map(str::to_owned),
        workflow,
        proposed: source.contains("merge_request") || source.contains("pull_request"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn github_job(changes: &[(&str, Value)]) -> Option<Job> {
        let mut all = claims(json!({
            "repository": "acme/shop", "repository_id": "4711", "ref": "refs/heads/main", "ref_protected": "true",
            "workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main", "event_name": "push",
            "environment": "production",
        }));
        for (name, value) in changes {
            all.insert((*name).to_owned(), value.clone());
        }
        github(&all)
    }

    fn rule(text: &str) -> TrustRule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_repository_is_its_number() {
        let rule = rule(r#"{"issuer": "github", "repository_id": 4711, "apps": ["shop"]}"#);
        let admits = |changes: &[(&str, Value)]| github_job(changes).is_some_and(|job| rule.admits("github", &job));
        assert!(admits(&[]));
        assert!(admits(&[("repository", json!("renamed/shop"))]), "it follows the number");
        assert!(!admits(&[("repository_id", json!("4712"))]), "the same name, another repository");
        for bad in [json!(null), json!(""), json!("0"), json!("4711x"), json!([4711]), json!(-4711)] {
            assert!(!admits(&[("repository_id", bad.clone())]), "{bad}");
        }
        assert!(!rule.admits("other", &github_job(&[]).unwrap()), "another issuer's numbers are others");
        assert!(github_job(&[("repository", json!("acme/shop\nWooo-Actor: root"))]).is_none());
        assert!(github_job(&[("ref", json!(""))]).is_none());
    }

    #[test]
    fn without_refs_only_protected_ones_count() {
        let base = r#""issuer": "github", "repository_id": 4711, "apps": ["shop"]"#;
        let any = rule(&format!("{{{base}}}"));
        let tags = rule(&format!(r#"{{{base}, "refs": ["refs/tags/v*", "refs/heads/main"]}}"#));
        let on = |rule: &TrustRule, git_ref: &str, protected: &str, event: &str| {
            let changes = [("ref", json!(git_ref)), ("ref_protected", json!(protected)), ("event_name", json!(event))];
            github_job(&changes).is_some_and(|job| rule.admits("github", &job))
        };
        assert!(on(&any, "refs/heads/release", "true", "push") && !on(&any, "refs/heads/x", "false", "push"));
        assert!(!on(&any, "refs/heads/x", "", "push") && !on(&any, "refs/heads/x", "TRUE", "push"));
        assert!(on(&tags, "refs/tags/v1", "false", "push") && on(&tags, "refs/heads/main", "false", "push"));
        assert!(!on(&tags, "refs/heads/main2", "true", "push") && !on(&tags, "refs/tags/x", "true", "push"));
        for event in ["pull_request", "pull_request_target"] {
            assert!(!on(&tags, "refs/heads/main", "true", event) && !on(&any, "refs/heads/main", "true", event));
        }
    }

    #[test]
    fn environment_and_workflow_have_to_be_the_ones() {
        let base = r#""issuer": "github", "repository_id": 4711, "apps": ["shop"]"#;
        let admits = |more: &str, changes: &[(&str, Value)]| {
            rule(&format!("{{{base}, {more}}}")).admits("github", &github_job(changes).unwrap())
        };
        assert!(admits(r#""environment": "production""#, &[]));
        assert!(!admits(r#""environment": "production""#, &[("environment", json!("staging"))]));
        assert!(!admits(r#""environment": "production""#, &[("environment", json!(null))]));
        let workflow = r#""workflow": ".github/workflows/deploy.yml""#;
        assert!(admits(workflow, &[]));
        for other in [
            "acme/shop/.github/workflows/other.yml@refs/heads/main",
            "evil/shop/.github/workflows/deploy.yml@refs/heads/main",
            "acme/shop/.github/workflows/deploy.yml",
        ] {
            assert!(!admits(workflow, &[("workflow_ref", json!(other))]), "{other}");
        }
    }

    #[test]
    fn gitlab_says_the_same_in_other_words() {
        let all = claims(json!({
            "project_id": "22", "project_path": "growth/web", "ref": "main", "ref_type": "branch",
            "ref_protected": "true", "pipeline_source": "push",
            "ci_config_ref_uri": "gitlab.example/growth/web//.gitlab-ci.yml@refs/heads/main",
        }));
        let job = gitlab(&all).unwrap();
        assert_eq!((job.repository_id, job.git_ref.as_str(), job.protected), (22, "refs/heads/main", true));
        assert_eq!(job.workflow.as_deref(), Some(".gitlab-ci.yml"));
        let mut proposed = all.clone();
        proposed.insert("pipeline_source".to_owned(), json!("merge_request_event"));
        let rule = rule(r#"{"issuer": "gitlab", "repository_id": 22, "tenant": "growth"}"#);
        assert!(rule.admits("gitlab", &job) && !rule.admits("gitlab", &gitlab(&proposed).unwrap()));
        let mut untyped = all;
        untyped.remove("ref_type");
        assert_eq!(gitlab(&untyped), None);
    }

    #[test]
    fn a_rule_that_trusts_for_nothing_or_with_a_typo_stops_the_start() {
        let issuers = r#"{"github": {"url": "https://token.actions.githubusercontent.com", "kind": "github"}}"#;
        let start = |rule: &str| {
            let text = format!(r#"{{"issuers": {issuers}, "rules": [{rule}]}}"#);
            let settings: PipelineSettings = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let http = Outbound::new().map_err(|error| error.to_string())?;
            Exchange::new(settings, "https://wooo.example", &http, KeyLife::default())
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        assert_eq!(start(r#"{"issuer": "github", "repository_id": 1, "tenant": "growth"}"#), Ok(()));
        for bad in [
            r#"{"issuer": "github", "repository_id": 1}"#,
            r#"{"issuer": "github", "repository_id": 1, "apps": []}"#,
            r#"{"issuer": "gitlab", "repository_id": 1, "tenant": "growth"}"#,
            r#"{"issuer": "github", "repository": "acme/shop", "tenant": "growth"}"#,
            r#"{"issuer": "github", "repository_id": 1, "tenant": "growth", "refs": ["main"]}"#,
            r#"{"issuer": "github", "repository_id": 1, "tenant": "growth", "refs": ["refs/*/main"]}"#,
        ] {
            assert!(start(bad).is_err(), "{bad}");
        }
    }
}
