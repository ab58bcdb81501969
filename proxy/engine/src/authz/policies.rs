//! The `AuthorizationPolicy` documents that are for one workload.
//!
//! In: what a request shows. Out: whether it is allowed, by which rule, or else which rule came nearest and what it missed.
//! Pure: the same request gets the same decision. Never: an allocation for what is allowed.

use std::sync::Arc;

use super::asking::Asking;
use super::rule::Rule;
use crate::reasons::Reason;
use crate::runtime::meters::Meter;
use crate::snapshot::authorization::{AccessPolicy, Action};

/// Places in the meter of a service.
const ALLOWED: usize = 0;
const DENIED: usize = 1;
const WOULD_DENY: usize = 2;

pub struct Policies {
    deny: Vec<Rule>,
    allow: Vec<Rule>,
    /// The first that denies what no rule allows, of those in force and of all.
    closing: Option<Box<str>>,
    closing_in_audit: Option<Box<str>>,
    audits: bool,
    meter: Arc<Meter>,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    Allowed {
        /// `None` where nothing has to be allowed.
        by: Option<&'a str>,
        /// What it would have been denied for, had policies in audit been in force.
        would: Option<Denial>,
    },
    Denied(Denial),
}

/// Why a request is not allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct Denial {
    pub reason: Reason,
    /// The rule that denies it, or the one that came nearest to allowing it; the policy, where it has no rules.
    pub rule: String,
    /// What of the nearest rule did not hold.
    pub missed: String,
}

#[derive(Clone, Copy)]
enum Verdict<'a> {
    Open,
    Allowed(&'a Rule),
    Denied(&'a Rule),
    /// By no rule, with the policy that closes the service.
    NotAllowed(&'a str),
}

// === impl Policies ===

impl Policies {
    #[must_use]
    pub fn of(service: &str, policies: &[AccessPolicy]) -> Self {
        let rules = |action: Action| {
            let such = policies.iter().filter(move |one| one.action == action);
            let rules = such.flat_map(|policy| {
                let rules = policy.rules.iter();
                rules.map(|rule| Rule::of(service, rule, action, policy.audit))
            });
            rules.collect()
        };
        let first = |audit: bool| {
            let closing = policies.iter().find(|policy| audit || !policy.audit);
            closing.map(|policy| policy.name.as_str().into())
        };
        let values = &["allowed", "denied", "would_deny"];
        Self {
            deny: rules(Action::Deny),
            allow: rules(Action::Allow),
            closing: first(false),
            closing_in_audit: first(true),
            audits: policies.iter().any(|policy| policy.audit),
            meter: Arc::new(Meter::new("authorization", service, "", values)),
        }
    }

    /// Decides about a request, and counts the decision.
    #[must_use]
    pub fn admit(&self, asking: &Asking<'_>) -> Decision<'_> {
        let verdict = self.verdict(asking, false);
        let audited = self.audited(&verdict, asking);
        let place = match (&verdict, &audited) {
            (Verdict::Denied(_) | Verdict::NotAllowed(_), _) => DENIED,
            (_, Some(_)) => WOULD_DENY,
            _ => ALLOWED,
        };
        self.meter.add(place);
        for verdict in [Some(&verdict), audited.as_ref()].into_iter().flatten() {
            if let Verdict::Allowed(rule) | Verdict::Denied(rule) = verdict {
                rule.meter.add(0);
            }
        }
        self.decision(verdict, audited, asking)
    }

    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        let rules = self.deny.iter().chain(&self.allow);
        std::iter::once(&self.meter).chain(rules.map(|rule| &rule.meter))
    }

    fn verdict(&self, asking: &Asking<'_>, audit: bool) -> Verdict<'_> {
        let first = |rules| counting(rules, audit).find(|rule| rule.holds(asking));
        if let Some(rule) = first(&self.deny) {
            return Verdict::Denied(rule);
        }
        if let Some(rule) = first(&self.allow) {
            return Verdict::Allowed(rule);
        }
        let closing = if audit {
            &self.closing_in_audit
        } else {
            &self.closing
        };
        closing
            .as_deref()
            .map_or(Verdict::Open, Verdict::NotAllowed)
    }

    /// What it would be denied by, if it is allowed and there is something to find out.
    fn audited(&self, verdict: &Verdict<'_>, asking: &Asking<'_>) -> Option<Verdict<'_>> {
        let allowed = matches!(verdict, Verdict::Open | Verdict::Allowed(_));
        if !self.audits || !allowed {
            return None;
        }
        let would = self.verdict(asking, true);
        matches!(would, Verdict::Denied(_) | Verdict::NotAllowed(_)).then_some(would)
    }

    fn decision<'a>(
        &'a self,
        verdict: Verdict<'a>,
        audited: Option<Verdict<'a>>,
        asking: &Asking<'_>,
    ) -> Decision<'a> {
        let by = match verdict {
            Verdict::Open => None,
            Verdict::Allowed(rule) => Some(rule.name()),
            Verdict::Denied(rule) => return Decision::Denied(denied(rule)),
            Verdict::NotAllowed(policy) => {
                return Decision::Denied(self.not_allowed(policy, asking, false));
            }
        };
        let would = audited.and_then(|verdict| match verdict {
            Verdict::Denied(rule) => Some(denied(rule)),
            Verdict::NotAllowed(policy) => Some(self.not_allowed(policy, asking, true)),
            Verdict::Open | Verdict::Allowed(_) => None,
        });
        Decision::Allowed { by, would }
    }

    fn not_allowed(&self, policy: &str, asking: &Asking<'_>, audit: bool) -> Denial {
        let rules = counting(&self.allow, audit).rev();
        let nearest = rules.max_by_key(|rule| rule.nearness(asking));
        Denial {
            reason: Reason::NotAllowed,
            rule: nearest.map_or(policy, |rule| rule.name()).to_owned(),
            missed: nearest.map_or_else(
                || "there is no rule that allows anything".to_owned(),
                |rule| rule.missed(asking),
            ),
        }
    }
}

fn counting(rules: &[Rule], audit: bool) -> impl DoubleEndedIterator<Item = &Rule> {
    rules.iter().filter(move |rule| audit || !rule.audit)
}

fn denied(rule: &Rule) -> Denial {
    Denial {
        reason: Reason::PolicyDenied,
        rule: rule.name().to_owned(),
        missed: String::new(),
    }
}
