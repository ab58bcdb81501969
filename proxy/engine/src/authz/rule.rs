//! One rule of an `AuthorizationPolicy`, ready to be held against requests.

use std::fmt::Write;
use std::sync::Arc;

use super::asking::{Asking, Claims, Head};
use super::claims::Claim;
use super::identity::Pattern;
use crate::routing::matching::Match;
use crate::runtime::meters::Meter;
use crate::snapshot::authorization::{AccessRule, Action};
use crate::snapshot::gate::Asked;

/// What there is to miss of a rule, the most telling last.
const CONDITIONS: usize = 4;
/// How many of several alternatives a sentence lists.
const LISTED: usize = 3;

pub struct Rule {
    from: AccessRule,
    action: Action,
    pub audit: bool,
    callers: Vec<Pattern>,
    matches: Vec<Match>,
    claims: Vec<Claim>,
    /// How often it decided.
    pub meter: Arc<Meter>,
}

// === impl Rule ===

impl Rule {
    /// A checked rule.
    #[must_use]
    pub fn of(service: &str, from: &AccessRule, action: Action, audit: bool) -> Self {
        let asked = |one: &Asked| {
            let (path, method) = (one.path.as_ref(), one.method.as_deref());
            Match::new(path, method, &one.headers, &one.query)
        };
        let value = match (action, audit) {
            (Action::Allow, _) => &["allowed"],
            (Action::Deny, false) => &["denied"],
            (Action::Deny, true) => &["would_deny"],
        };
        Self {
            action,
            audit,
            callers: from
                .callers
                .iter()
                .filter_map(|one| Pattern::parse(one))
                .collect(),
            matches: from.matches.iter().filter_map(asked).collect(),
            claims: from.claims.iter().map(Claim::of).collect(),
            meter: Arc::new(Meter::new("authorization", service, &from.name, value)),
            from: from.clone(),
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.from.name
    }

    #[must_use]
    pub fn holds(&self, asking: &Asking<'_>) -> bool {
        self.held(asking).into_iter().all(|held| held)
    }

    /// How near it is to a request: the fewer conditions are missed the nearer, and of those that it asks for at all the more
    /// are held; then a rule for this caller is nearer than one for this request, and so on.
    #[must_use]
    pub fn nearness(&self, asking: &Asking<'_>) -> (usize, usize, usize) {
        let held = self.held(asking);
        let from = &self.from;
        let asked_for = [
            !from.ports.is_empty(),
            !from.claims.is_empty(),
            !from.matches.is_empty(),
            !from.callers.is_empty(),
        ];
        let met = (0..CONDITIONS).filter(|place| held[*place] && asked_for[*place]);
        (
            held.into_iter().filter(|held| *held).count(),
            met.clone().count(),
            met.map(|place| 1 << place).sum(),
        )
    }

    /// Of port, claims, request and caller, what is as the rule wants it.
    fn held(&self, asking: &Asking<'_>) -> [bool; CONDITIONS] {
        [
            self.from.ports.is_empty() || self.from.ports.contains(&asking.port),
            self.claims.iter().all(|claim| claim.holds(asking.claims)),
            self.matches.is_empty() || self.is_asked(asking.head.as_ref()),
            self.callers.is_empty() || self.callers.iter().any(|one| asking.who.is(one)),
        ]
    }

    /// What cannot be seen is not allowed, and is denied; so is what can be read in two ways, when one of them is.
    fn is_asked(&self, head: Option<&Head<'_>>) -> bool {
        let Some(head) = head else {
            return self.action == Action::Deny;
        };
        let any = |path: &str| {
            let asked = |one: &Match| one.asks(head.method, path, head.query, head.headers);
            self.matches.iter().any(asked)
        };
        match self.action {
            Action::Allow => head.readings().all(any),
            Action::Deny => head.readings().any(any),
        }
    }

    /// The conditions that do not hold, each with what the request is instead.
    #[must_use]
    pub fn missed(&self, asking: &Asking<'_>) -> String {
        let [port, claims, request, caller] = self.held(asking);
        let mut missed = Vec::new();
        if !caller {
            let wanted = listed(self.from.callers.iter().cloned());
            missed.push(format!("caller {}, not {wanted}", asking.who));
        }
        if !request {
            let wanted = listed(self.from.matches.iter().map(words));
            let asked = asking.head.as_ref().map_or_else(
                || "a connection whose bytes cannot be seen".to_owned(),
                |head| format!("{} {}", head.method, head.path),
            );
            missed.push(format!("request {asked}, not {wanted}"));
        }
        if !claims {
            missed.push(self.missed_claims(asking.claims));
        }
        if !port {
            let wanted = listed(self.from.ports.iter().map(u16::to_string));
            missed.push(format!("port {}, not {wanted}", asking.port));
        }
        missed.join("; ")
    }

    /// Names what a token would have to say, never what it does say.
    fn missed_claims(&self, claims: Option<&Claims>) -> String {
        let names = self.claims.iter().zip(&self.from.claims);
        let missed = names.filter(|(claim, _)| !claim.holds(claims));
        let names = missed.map(|(_, from)| {
            let values = listed(from.values.iter().cloned());
            format!("claim {} is not {values}", from.name)
        });
        let listed = names.collect::<Vec<_>>().join(", ");
        match claims {
            None => format!("no token: {listed}"),
            Some(_) => listed,
        }
    }
}

/// A match as people wrote it.
fn words(asked: &Asked) -> String {
    let method = asked.method.as_deref().unwrap_or("any method");
    let path = asked.path.as_ref().map_or("any path", |path| &path.value);
    let mut text = format!("{method} {path}");
    for value in &asked.headers {
        let _ = write!(text, " with header {} {}", value.name, value.value);
    }
    for value in &asked.query {
        let _ = write!(text, " with parameter {} {}", value.name, value.value);
    }
    text
}

fn listed(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(LISTED);
    let mut text = all.take(LISTED).collect::<Vec<_>>().join(" or ");
    if more > 0 {
        let _ = write!(text, " or {more} more");
    }
    text
}
