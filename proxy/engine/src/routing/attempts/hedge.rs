//! Sends a second copy of a request that waits for long to another endpoint; the first good answer is the answer, and the
//! other attempt is given up (Dean and Barroso, "The Tail at Scale", Communications of the ACM, 2013).

use std::pin::{Pin, pin};
use std::time::Duration;

use http::Request;
use tokio::time::timeout;

use super::{Call, Second, Try};
use crate::grpc::status_of;
use crate::reasons::Reason;
use crate::recording::flight::Flight;
use crate::upstream::forward::{Answer, Failure};
use crate::upstream::relay::begun;
use crate::upstream::request_body::RequestBody;

type Outcome = Result<Answer, Failure>;

/// How two attempts at once ended.
struct Finish {
    /// Whether the second copy is the one that counts.
    second_won: bool,
    outcome: Outcome,
    /// How the other one ended before; `None` when it was given up.
    other: Option<Outcome>,
}

impl Call<'_> {
    /// After how long a request is sent twice, if ever: only what may be, and can be kept.
    pub(super) fn hedging<'s>(&self, second: Option<&'s Second>) -> Option<(Duration, &'s Second)> {
        let after = self.service.care.hedge?;
        let second = second.filter(|second| second.spare.is_some() && !self.terms.upgrade)?;
        Some((after, second))
    }

    /// Asks one endpoint, and another one too if that takes longer than `after`. Out: the attempt that counts.
    pub(super) async fn race(
        &self,
        one: Try,
        mut flight: Flight,
        request: Request<RequestBody>,
        after: Duration,
        second: &Second,
        tried: &mut u64,
    ) -> (Try, Flight, Outcome) {
        let mut follower = None;
        let finish = {
            let mut leading = pin!(self.ask(one, &flight, request));
            if let Ok(outcome) = timeout(after, &mut leading).await {
                Finish::of_the_only(outcome)
            } else if let Some((other, copy)) = self.copy(second, flight.attempts(), *tried) {
                *tried |= other.bit();
                let mut beside = flight.fork();
                beside.to(self.endpoint(other));
                let (other, beside) = &*follower.insert((other, beside));
                first_good(leading, pin!(self.ask(*other, beside, copy))).await
            } else {
                Finish::of_the_only(leading.await)
            }
        };
        let Some((other, mut beside)) = follower else {
            return (one, flight, finish.outcome);
        };
        if finish.second_won {
            beside.take_over(&mut flight);
            self.give_up(one, flight, finish.other);
            return (other, beside, finish.outcome);
        }
        flight.take_over(&mut beside);
        self.give_up(other, beside, finish.other);
        (one, flight, finish.outcome)
    }

    /// The same request for another endpoint, if there is one, all of it has been sent and the budget has room.
    fn copy(
        &self,
        second: &Second,
        attempts: u8,
        tried: u64,
    ) -> Option<(Try, Request<RequestBody>)> {
        let copy = second.copy(attempts)?;
        let other = self.choose(tried).ok()?;
        let budget = &self.service.care.budget;
        budget.spend(other.began).then_some((other, copy))
    }

    /// Ends the attempt that does not count.
    fn give_up(&self, one: Try, mut flight: Flight, outcome: Option<Outcome>) {
        let reason = match outcome {
            None => {
                let now = self.worker.clock.now();
                let waited = now.saturating_sub(one.began);
                self.endpoint(one).peaks(waited, now);
                Some(Reason::HedgeLost)
            }
            Some(Ok(answered)) => {
                self.learn(one, Some(status_of(&answered.response)));
                begun(&mut flight, &answered.response, true);
                None
            }
            Some(Err(failure)) => Some(self.unanswered(failure, one).0),
        };
        flight.close(reason);
    }
}

impl Finish {
    fn of_the_only(outcome: Outcome) -> Self {
        Self {
            second_won: false,
            outcome,
            other: None,
        }
    }
}

/// The first answer that is no error of the server; when neither is one, what came last.
async fn first_good(
    mut first: Pin<&mut impl Future<Output = Outcome>>,
    mut second: Pin<&mut impl Future<Output = Outcome>>,
) -> Finish {
    let (outcome, second_won) = tokio::select! {
        biased;
        outcome = &mut first => (outcome, false),
        outcome = &mut second => (outcome, true),
    };
    if outcome.as_ref().is_ok_and(is_good) {
        return Finish {
            second_won,
            outcome,
            other: None,
        };
    }
    let last = if second_won {
        first.await
    } else {
        second.await
    };
    Finish {
        second_won: !second_won,
        outcome: last,
        other: Some(outcome),
    }
}

fn is_good(answer: &Answer) -> bool {
    !status_of(&answer.response).is_server_error()
}
