//! CALLER -> REQUEST: who may ask what of an application, or at a gateway.
//!
//! In: the head of a request, or a connection, and who it is from. Out: whether it goes on, or the answer in the place of the
//! application's. Never: work where no policy is, or the whole reason told to somebody unknown.

pub mod asking;
mod claims;
pub mod enforce;
pub mod glob;
pub mod identity;
mod policies;
#[cfg(any(test, feature = "python"))]
pub mod question;
mod rule;
pub mod tokens;

use std::rc::Rc;
use std::sync::Arc;

use asking::{Asking, Claims, Head};
use identity::Who;
use policies::{Decision, Policies};
use tokens::Tokens;

use crate::entry::way::Way;
use crate::runtime::meters::Meter;
use crate::snapshot;

pub struct Authorization {
    from: snapshot::Authorization,
    policies: Policies,
    tokens: Option<Tokens>,
}

// === impl Authorization ===

impl Authorization {
    /// The policies of one worker; of those that do not change, what was counted is kept.
    #[must_use]
    pub fn of(from: &snapshot::Authorization, before: Option<&Rc<Self>>) -> Rc<Self> {
        if let Some(same) = before.filter(|before| before.from == *from) {
            return Rc::clone(same);
        }
        Rc::new(Self {
            policies: Policies::of(&from.service, &from.policies),
            tokens: from.tokens.as_ref().map(Tokens::of),
            from: from.clone(),
        })
    }

    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        self.policies.meters()
    }

    #[must_use]
    pub fn service(&self) -> &str {
        &self.from.service
    }

    /// Who a caller is, by its certificate and by what it says; a certificate always counts for more.
    #[must_use]
    pub fn who<'a>(&'a self, certified: Option<&'a str>, claimed: &'a str) -> Who<'a> {
        match (certified, &self.from.believed) {
            (Some(id), _) => Who::Proven(id),
            (None, Some(domain)) if !claimed.is_empty() => Who::Claimed {
                domain,
                service: claimed,
            },
            _ => Who::Nobody,
        }
    }

    /// Decides about a request, or about a tunnel where there is no head, and counts the decision.
    #[must_use]
    pub fn admit(
        &self,
        who: Who<'_>,
        way: Way,
        head: Option<Head<'_>>,
        claims: Option<&Claims>,
    ) -> Decision<'_> {
        self.policies.admit(&Asking {
            who,
            port: self.port(way),
            head,
            claims,
        })
    }

    fn port(&self, way: Way) -> u16 {
        let place = match way {
            Way::Door(place) => place,
            Way::Inbound | Way::Outbound | Way::Listener(_) => 0,
        };
        self.from.ports.get(place).copied().unwrap_or_default()
    }
}
