//! REQUEST -> WAY: which of a service's routes a request takes, and to which of its backends.
//!
//! In: the head of a request and chance. Out: the first route that matches, and the service that serves it. Pure.

use std::rc::Rc;
use std::time::Duration;

use http::header::{COOKIE, HOST};
use http::{HeaderName, HeaderValue, Request, Response};

use super::edits::{HeaderEdit, Redirect, Rewrite, direct};
use super::matching::{Match, header};
use super::split::Split;
use super::templates::MAX_LENGTH;
use crate::entry::caller::Caller;
use crate::reasons::Reason;
use crate::recording::clock::Nanos;
use crate::recording::otlp::Attributes;
use crate::recording::record::Encoded;
use crate::runtime::plan::Service;
use crate::snapshot::policies::{HashKind, HashOn};
use crate::snapshot::routes::{Answer, PathKind, PathMatch, Route, Sticky, StickyKind};
use crate::upstream::headers::MESH_REASON;
use crate::upstream::response_body::ResponseBody;

/// Longer than any request.
const UNLIMITED: Duration = Duration::from_secs(365 * 86_400);

/// What an authority means: a service, and the routes of its requests, if it has any.
pub struct Destination {
    pub service: Rc<Service>,
    pub rules: Option<Vec<Rc<Rule>>>,
}

/// One route, ready to be taken.
pub struct Rule {
    /// As people know it: its document, and its name there.
    pub name: Box<str>,
    matching: Match,
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
        sticky: Option<Mark>,
    },
}

/// Who gets a copy of how many requests in a million.
#[derive(Clone)]
pub struct Mirror {
    pub to: Rc<Service>,
    pub per_million: u32,
}

/// By what callers are told apart.
pub enum Mark {
    Header(HeaderName),
    Cookie(String),
    Source,
}

/// Where one request goes.
pub enum Way {
    /// As if the service had no routes.
    Plain(Rc<Service>),
    Ruled(Rc<Rule>, Rc<Service>),
    /// The service has routes, and none is for this request.
    None(Rc<Service>),
}

// === impl Way ===

impl Way {
    /// Who serves the request, or would.
    #[must_use]
    pub fn service(&self) -> &Rc<Service> {
        let (Self::Plain(service) | Self::Ruled(_, service) | Self::None(service)) = self;
        service
    }

    /// What stands for the paths that take this way; `None` when that is to be learned.
    #[must_use]
    pub fn template(&self) -> Option<Rc<str>> {
        match self {
            Self::Ruled(rule, _) => rule.template.clone(),
            Self::Plain(_) | Self::None(_) => None,
        }
    }

    /// What the way adds to the request's span.
    #[must_use]
    pub fn attributes(&self) -> Option<Encoded> {
        match self {
            Self::Ruled(rule, _) => Some(Encoded::clone(&rule.attributes)),
            Self::Plain(_) | Self::None(_) => None,
        }
    }
}

// === impl Destination ===

impl Destination {
    /// The way of a request; `chance` is asked for when backends share its route.
    pub fn way<B>(
        &self,
        request: &Request<B>,
        caller: &Caller,
        chance: impl FnOnce() -> u64,
    ) -> Way {
        let Some(rules) = &self.rules else {
            return Way::Plain(Rc::clone(&self.service));
        };
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let Some(rule) = rules
            .iter()
            .find(|rule| rule.matching.holds(method, uri, headers))
        else {
            return Way::None(Rc::clone(&self.service));
        };
        Way::Ruled(
            Rc::clone(rule),
            rule.backend(request, caller, chance, &self.service),
        )
    }
}

// === impl Rule ===

impl Rule {
    /// A checked route, with the services it leads to; `find` knows them by name and version.
    pub fn of(route: &Route, find: impl Fn(&str, &str) -> Option<Rc<Service>>) -> Option<Self> {
        let mut attributes = Attributes::default();
        attributes.text("mesh.rule", &route.name);
        let mirrors = route.mirrors.iter().filter_map(|mirror| {
            Some(Mirror {
                to: find(&mirror.to.service, &mirror.to.version)?,
                per_million: mirror.per_million,
            })
        });
        Some(Self {
            name: route.name.as_str().into(),
            matching: Match::of(route)?,
            template: route.path.as_ref().and_then(template),
            attributes: attributes.bytes().into(),
            request_headers: route.request_headers.as_ref().map(HeaderEdit::of),
            response_headers: route.response_headers.as_ref().map(HeaderEdit::of),
            action: Self::action(route, &find),
            mirrors: mirrors.collect(),
            timeout: route.timeout_ms.map(Duration::from_millis),
            attempt_timeout: route.attempt_timeout_ms.map(Duration::from_millis),
        })
    }

    fn action(route: &Route, find: impl Fn(&str, &str) -> Option<Rc<Service>>) -> Action {
        if let Some(redirect) = &route.redirect {
            return Action::Redirect(Redirect::of(redirect));
        }
        if let Some(answer) = &route.answer {
            return Action::Answer(answer.clone());
        }
        let weighed = route.backends.iter().filter_map(|backend| {
            Some((backend.weight, find(&backend.service, &backend.version)?))
        });
        let Some(backends) = Split::new(weighed) else {
            return Action::Nowhere;
        };
        Action::Forward {
            rewrite: route.rewrite.as_ref().map(Rewrite::of),
            backends,
            sticky: route.sticky.as_ref().and_then(Mark::sticky),
        }
    }

    /// The answer to a request that goes no further.
    pub fn answer<B>(&self, request: &Request<B>) -> Option<Response<ResponseBody>> {
        let mut response = match &self.action {
            Action::Redirect(redirect) => {
                redirect.answer(request.uri(), authority(request).unwrap_or_default())
            }
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
    pub fn edit_answer<B>(&self, response: &mut Response<B>) {
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
    pub fn deadline(&self, started: Nanos) -> Option<Nanos> {
        let timeout = self.timeout.filter(|timeout| !timeout.is_zero())?;
        let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(Nanos::MAX);
        Some(started.saturating_add(timeout))
    }

    fn backend<B>(
        &self,
        request: &Request<B>,
        caller: &Caller,
        chance: impl FnOnce() -> u64,
        parent: &Rc<Service>,
    ) -> Rc<Service> {
        let Action::Forward {
            backends, sticky, ..
        } = &self.action
        else {
            return Rc::clone(parent);
        };
        let same = sticky
            .as_ref()
            .and_then(|sticky| sticky.of(request, caller));
        Rc::clone(backends.choose(|| same.unwrap_or_else(chance)))
    }
}

// === impl Mark ===

impl Mark {
    fn sticky(from: &Sticky) -> Option<Self> {
        Some(match from.kind {
            StickyKind::Header => Self::Header(HeaderName::try_from(&from.name).ok()?),
            StickyKind::Cookie => Self::Cookie(from.name.clone()),
        })
    }

    /// What a consistent hash goes by.
    pub fn hashed(from: &HashOn) -> Option<Self> {
        Some(match (from.kind, &from.name) {
            (HashKind::Source, _) => Self::Source,
            (HashKind::Header, Some(name)) => Self::Header(HeaderName::try_from(name).ok()?),
            (HashKind::Cookie, Some(name)) => Self::Cookie(name.clone()),
            (_, None) => return None,
        })
    }

    /// A number that is the same for requests of one caller; `None` when the request does not tell.
    pub fn of<B>(&self, request: &Request<B>, caller: &Caller) -> Option<u64> {
        match self {
            Self::Source => Some(caller.mark),
            Self::Header(name) => Some(fnv(header(request.headers(), name)?.as_bytes())),
            Self::Cookie(name) => {
                let lines = request.headers().get_all(COOKIE).iter();
                let pairs = lines
                    .filter_map(|line| line.to_str().ok())
                    .flat_map(|line| line.split(';'));
                let value = pairs
                    .filter_map(|pair| pair.trim().split_once('='))
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))?
                    .1;
                Some(fnv(value.as_bytes()))
            }
        }
    }
}

/// The paths of a match under one name, unless that is too long for a label.
fn template(path: &PathMatch) -> Option<Rc<str>> {
    let name = match path.kind {
        PathKind::Exact | PathKind::Regex => path.value.clone(),
        PathKind::Prefix => format!("{}/*", path.value),
    };
    (name.len() <= MAX_LENGTH).then(|| name.into())
}

/// Spreads texts evenly, the same in every process (FNV-1a, with the finalizer of `MurmurHash3`).
#[must_use]
pub fn fnv(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Whom a request is for: the URL's authority, or else `Host` (RFC 9112, 3.2.2).
pub fn authority<B>(request: &Request<B>) -> Option<&str> {
    let uri = request.uri().authority().map(http::uri::Authority::as_str);
    uri.or_else(|| request.headers().get(HOST)?.to_str().ok())
}
