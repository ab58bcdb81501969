//! Remembers the addresses behind the name of one endpoint, so that a connection does not wait for the resolver.
//!
//! In: what the resolver says. Out: addresses, each time beginning with the next. Never: more than a few of them, or none
//! because the resolver is away for a while: an old answer is better than no connection.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::address::Address;

/// How long an answer is used without asking again; the system's resolver does not tell how long it may be.
const FRESH: Duration = Duration::from_secs(10);
/// How long to wait after the resolver failed.
const RETRY: Duration = Duration::from_secs(5);
/// Addresses kept of one name.
const MOST: usize = 16;

#[derive(Default)]
pub struct Names {
    found: RefCell<Vec<SocketAddr>>,
    /// When to ask again.
    stale_at: Cell<Option<Instant>>,
    turn: Cell<usize>,
}

/// What is known without asking.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    Nothing,
    Fresh(Vec<SocketAddr>),
    /// Good enough to use; whoever hears this asks again.
    Stale(Vec<SocketAddr>),
}

impl Names {
    /// The addresses to try, in this order; waits for the resolver only while nothing is known.
    pub async fn addresses(self: &Rc<Self>, of: &Address) -> io::Result<Vec<SocketAddr>> {
        match self.known(Instant::now()) {
            Known::Fresh(addresses) => Ok(addresses),
            Known::Stale(addresses) => {
                let (names, of) = (Rc::clone(self), of.clone());
                tokio::task::spawn_local(async move {
                    names.answered(of.resolve().await.ok(), Instant::now());
                });
                Ok(addresses)
            }
            Known::Nothing => {
                self.answered(Some(of.resolve().await?), Instant::now());
                Ok(self.in_turn())
            }
        }
    }

    /// Says what is known; of a stale answer only the first to hear it is told so.
    fn known(&self, now: Instant) -> Known {
        let Some(stale_at) = self.stale_at.get() else {
            return Known::Nothing;
        };
        if now < stale_at {
            return Known::Fresh(self.in_turn());
        }
        self.stale_at.set(Some(now + RETRY));
        Known::Stale(self.in_turn())
    }

    /// Takes in what the resolver said; a failure leaves what is known.
    fn answered(&self, answer: Option<Vec<SocketAddr>>, now: Instant) {
        let Some(mut addresses) = answer else {
            return;
        };
        addresses.truncate(MOST);
        *self.found.borrow_mut() = addresses;
        self.stale_at.set(Some(now + FRESH));
    }

    /// None of the addresses took a connection: the next one asks first.
    pub fn forget(&self) {
        self.stale_at.set(None);
    }

    fn in_turn(&self) -> Vec<SocketAddr> {
        let mut addresses = self.found.borrow().clone();
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        if !addresses.is_empty() {
            let first = turn % addresses.len();
            addresses.rotate_left(first);
        }
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hosts: &[u8]) -> Vec<SocketAddr> {
        let address = |host: &u8| SocketAddr::from(([10, 0, 0, *host], 80));
        hosts.iter().map(address).collect()
    }

    #[test]
    fn addresses_take_turns() {
        let (names, now) = (Names::default(), Instant::now());
        assert_eq!(names.known(now), Known::Nothing);
        names.answered(Some(at(&[1, 2, 3])), now);
        for expected in [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]] {
            assert_eq!(names.known(now), Known::Fresh(at(&expected)));
        }
    }

    #[test]
    fn an_old_answer_is_used_while_one_asks_again() {
        let (names, now) = (Names::default(), Instant::now());
        names.answered(Some(at(&[1])), now);
        let later = now + FRESH;
        assert_eq!(names.known(later), Known::Stale(at(&[1])));
        assert_eq!(
            names.known(later),
            Known::Fresh(at(&[1])),
            "one question at a time"
        );
        names.answered(None, later);
        assert_eq!(
            names.known(later + RETRY),
            Known::Stale(at(&[1])),
            "the resolver is away"
        );
        names.answered(Some(at(&[2])), later + RETRY);
        assert_eq!(names.known(later + RETRY), Known::Fresh(at(&[2])));
    }

    #[test]
    fn what_leads_nowhere_is_asked_anew_and_the_rest_is_bounded() {
        let (names, now) = (Names::default(), Instant::now());
        names.answered(Some(at(&(0..200).collect::<Vec<_>>())), now);
        assert_eq!(
            names.known(now),
            Known::Fresh(at(&(0..16).collect::<Vec<_>>()))
        );
        names.forget();
        assert_eq!(names.known(now), Known::Nothing);
    }
}
