//! REQUEST -> WAY: which of a service's routes a request takes, and to which of its backends.
//!
//! In: the head of a request and chance. Out: the first route that matches, and the service that serves it. Pure.

use std::rc::Rc;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Request, Response};

use super::deadline::Deadline;
use super::edits::{HeaderEdit, Redirect, Rewrite, direct};
use super::session::{Session, Shown};
use super::split::Split;
use super::table::Table;
use super::templates::MAX_LENGTH;
use crate::entry::caller::Caller;
use crate::reasons::Reason;
use crate::recording::clock::Nanos;
use crate::recording::otlp::Attributes;
use crate::recording::record::Encoded;
use crate::runtime::plan::Service;
use crate::snapshot::routes::{Answer, PathKind, PathMatch, Route};
use crate::upstream::headers::MESH_REASON;
use crate::upstream::response_body::ResponseBody;

/// Longer than any request.
const UNLIMITED: Duration = Duration::from_secs(365 * 86_400);

/// What an authority means: a service, and the routes of its requests, if it has any.
pub struct Destination {
    pub service: Rc<Service>,
    pub rules: Option<Table<Rc<Rule>>>,
}

/// One route, ready to be taken.
pub struct Rule {
    /// As people know it: its document, and its name there.
    pub name: Box<str>,
    /// `mesh.route` of its spans, when the match says which paths there are.
    template: Option<Rc<str>>,
    /// `mesh.rule` of its spans.
    pub attributes: Encoded,
    pub request_headers: Option<HeaderEdit>,
    response_headers: Option<HeaderEdit>,
    pub action: Action,
    pub mirrors: Vec<Mirror>,
    /// Of the whole request, and of one attempt; zero is no limit.
    pub timeout: Option<Duration>,
    pub attempt_timeout: Option<Duration>,
}

/// What becomes of a request.
pub enum Action {
    Redirect(Redirect),
    Answer(Answer),
    /// No backend has a weight.
    Nowhere,
    Forward {
        rewrite: Option<Rewrite>,
        backends: Split<Rc<Service>>,
        session: Option<Session>,
    },
}

/// Who gets a copy of how many requests in a million.
#[derive(Clone)]
pub struct Mirror {
    pub to: Rc<Service>,
    pub per_million: u32,
}

/// Where one request goes.
pub enum Way {
    /// As if the service had no routes.
    Plain(Rc<Service>),
    Ruled(Taken),
    /// The service has routes, and none is for this request.
    None(Rc<Service>),
}

/// The rule that a request takes, and whom it leads to.
pub struct Taken {
    pub rule: Rc<Rule>,
    pub service: Rc<Service>,
    shown: Shown,
}

// === impl Way ===

impl Way {
    /// Who serves the request, or would.
    #[must_use]
    pub fn service(&self) -> &Rc<Service> {
        match self {
            Self::Plain(service) | Self::None(service) => service,
            Self::Ruled(taken) => &taken.service,
        }
    }

    /// What stands for the paths that take this way; `None` when that is to be learned.
    #[must_use]
    pub fn template(&self) -> Option<Rc<str>> {
        match self {
            Self::Ruled(taken) => taken.rule.template.clone(),
            Self::Plain(_) | Self::None(_) => None,
        }
    }

    /// What the way adds to the request's span.
    #[must_use]
    pub fn attributes(&self) -> Option<Encoded> {
        match self {
            Self::Ruled(taken) => Some(Encoded::clone(&taken.rule.attributes)),
            Self::Plain(_) | Self::None(_) => None,
        }
    }
}

// === impl Destination ===

impl Destination {
    /// The way of a request; `chance` is asked for when there is a choice.
    pub fn way<B>(&self, request: &Request<B>, caller: &Caller, chance: impl Fn() -> u64) -> Way {
        let Some(rules) = &self.rules else {
            return Way::Plain(Rc::clone(&self.service));
        };
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let Some(rule) = rules.find(method, uri, headers) else {
            return Way::None(Rc::clone(&self.service));
        };
        Way::Ruled(rule.take(request, caller, chance, &self.service))
    }
}

// === impl Rule ===

impl Rule {
    /// A checked route, with the services it leads to; `find` knows them by name and version.
    #[must_use]
    pub fn of(route: &Route, find: impl Fn(&str, &str) -> Option<Rc<Service>>) -> Self {
        let mut attributes = Attributes::default();
        attributes.text("mesh.rule", &route.name);
        let mirrors = route.mirrors.iter().filter_map(|mirror| {
            Some(Mirror {
                to: find(&mirror.to.service, &mirror.to.version)?,
                per_million: mirror.per_million,
            })
        });
        Self {
            name: route.name.as_str().into(),
            template: route.path.as_ref().and_then(template),
            attributes: attributes.bytes().into(),
            request_headers: route.request_headers.as_ref().map(HeaderEdit::of),
            response_headers: route.response_headers.as_ref().map(HeaderEdit::of),
            action: Self::action(route, &find),
            mirrors: mirrors.collect(),
            timeout: route.timeout_ms.map(Duration::from_millis),
            attempt_timeout: route.attempt_timeout_ms.map(Duration::from_millis),
        }
    }

    fn action(route: &Route, find: impl Fn(&str, &str) -> Option<Rc<Service>>) -> Action {
        if let Some(redirect) = &route.redirect {
            return Action::Redirect(Redirect::of(redirect));
        }
        if let Some(answer) = &route.answer {
            return Action::Answer(answer.clone());
        }
        let weighed = route.backends.iter().filter_map(|backend| {
            let service = find(&backend.service, &backend.version)?;
            let service = match &route.retry {
                Some(wanted) => Rc::new(service.retrying(wanted)),
                None => service,
            };
            Some((backend.weight, service))
        });
        let Some(backends) = Split::new(weighed) else {
            return Action::Nowhere;
        };
        Action::Forward {
            rewrite: route.rewrite.as_ref().map(Rewrite::of),
            backends,
            session: route.sticky.as_ref().and_then(Session::of),
        }
    }

    /// The answer to a request that goes no further.
    pub fn answer<B>(&self, request: &Request<B>, scheme: &str) -> Option<Response<ResponseBody>> {
        let mut response = match &self.action {
            Action::Redirect(redirect) => redirect.answer(
                request.uri(),
                scheme,
                authority(request).unwrap_or_default(),
            ),
            Action::Answer(told) => direct(told),
            Action::Nowhere | Action::Forward { .. } => return None,
        };
        let headers = response.headers_mut();
        headers.insert(
            &MESH_REASON,
            HeaderValue::from_static(Reason::RouteAnswer.code()),
        );
        self.edit_answer(&mut response);
        Some(response)
    }

    /// Makes the answer what its caller is to see.
    fn edit_answer<B>(&self, response: &mut Response<B>) {
        if let Some(edit) = &self.response_headers {
            edit.apply(response.headers_mut());
        }
    }

    #[must_use]
    pub fn leads_nowhere(&self) -> bool {
        matches!(self.action, Action::Nowhere)
    }

    /// Makes the request what its callee is to see.
    pub fn edit<B>(&self, request: &mut Request<B>) {
        if let Some(edit) = &self.request_headers {
            edit.apply(request.headers_mut());
        }
        if let Action::Forward {
            rewrite: Some(rewrite),
            ..
        } = &self.action
        {
            rewrite.apply(request);
        }
    }

    /// How long one attempt may wait for the response to begin. A route that limits only the whole request lifts the
    /// limit of the service.
    #[must_use]
    pub fn first_byte(&self, usual: Duration) -> Duration {
        let limit = self.attempt_timeout.or(self.timeout);
        match limit {
            Some(Duration::ZERO) => UNLIMITED,
            _ => limit.unwrap_or(usual),
        }
    }

    #[must_use]
    pub fn deadline(&self, started: Nanos) -> Option<Deadline> {
        let timeout = self.timeout.filter(|timeout| !timeout.is_zero())?;
        let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(Nanos::MAX);
        Some(Deadline::of_route(started.saturating_add(timeout)))
    }

    fn take<B>(
        self: &Rc<Self>,
        request: &Request<B>,
        caller: &Caller,
        chance: impl Fn() -> u64,
        parent: &Rc<Service>,
    ) -> Taken {
        let mut taken = Taken {
            rule: Rc::clone(self),
            service: Rc::clone(parent),
            shown: Shown::default(),
        };
        if let Action::Forward {
            backends, session, ..
        } = &self.action
        {
            if let Some(session) = session {
                taken.shown = session.shown(request, caller, &chance);
            }
            taken.service = Rc::clone(backends.choose(taken.shown.mark, chance));
        }
        taken
    }
}

// === impl Taken ===

impl Taken {
    /// What tells the caller from others, for the balancer too.
    #[must_use]
    pub fn mark(&self) -> Option<u64> {
        self.shown.mark
    }

    /// Makes the answer what its caller is to see.
    pub fn edit_answer<B>(&self, response: &mut Response<B>) {
        self.rule.edit_answer(response);
        if let Action::Forward {
            session: Some(session),
            ..
        } = &self.rule.action
        {
            session.give(&self.shown, response.headers_mut());
        }
    }
}

/// The paths of a match under one name, unless that is too long for a label.
fn template(path: &PathMatch) -> Option<Rc<str>> {
    let name = match path.kind {
        PathKind::Exact | PathKind::Template | PathKind::Regex => path.value.clone(),
        PathKind::Prefix => format!("{}/*", path.value),
    };
    (name.len() <= MAX_LENGTH).then(|| name.into())
}

/// Whom a request is for: the URL's authority, or else `Host` (RFC 9112, 3.2.2).
pub fn authority<B>(request: &Request<B>) -> Option<&str> {
    let uri = request.uri().authority().map(http::uri::Authority::as_str);
    uri.or_else(|| request.headers().get(HOST)?.to_str().ok())
}
