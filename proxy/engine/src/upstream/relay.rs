//! Turns the next hop's response into the one the caller gets: headers of this hop, body streamed, upgrades joined.

use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;

use crate::entry::limits::Limits;
use crate::reasons::Reason;
use crate::recording::flight::Flight;
use crate::upstream::answer::answer;
use crate::upstream::forward::Answer;
use crate::upstream::headers::{MESH_REASON, ask_upgrade, end_hop, end_response_hop};
use crate::upstream::response_body::{Carried, Course, ResponseBody};
use crate::upstream::upgrade::{Ends, tunnel};

/// How to read what the next hop says.
pub struct Reading {
    /// The caller's side of a switch of protocols that was asked for.
    pub caller: Option<OnUpgrade>,
    /// What it means when the response goes wrong.
    pub course: Course,
    pub tunnel_idle: Duration,
}

// === impl Reading ===

impl Reading {
    /// Of what an instance of a service answers.
    #[must_use]
    pub fn upstream(caller: Option<OnUpgrade>, limits: &Limits) -> Self {
        Self {
            caller,
            course: Course::upstream(limits),
            tunnel_idle: limits.tunnel_idle,
        }
    }
}

pub fn relay(answered: Answer, reading: Reading, mut flight: Flight) -> Response<ResponseBody> {
    let Answer {
        mut response,
        lease,
    } = answered;
    let status = response.status();
    begun(&mut flight, &response, reading.course.from_proxy);
    if !reading.course.from_proxy {
        response.headers_mut().remove(&MESH_REASON);
    }
    *response.version_mut() = Version::HTTP_11;
    if status != StatusCode::SWITCHING_PROTOCOLS {
        end_response_hop(response.headers_mut());
        return response.map(|body| Carried::response(body, lease, flight, reading.course));
    }
    let Some(caller) = reading.caller else {
        flight.fail(reading.course.broken);
        return answer(
            reading.course.broken,
            "it switched protocols without being asked to",
        );
    };
    let target = hyper::upgrade::on(&mut response);
    if let Some(protocol) = end_hop(response.headers_mut()) {
        ask_upgrade(response.headers_mut(), protocol);
    }
    flight.switch();
    let ends = Ends {
        broken: reading.course.broken,
        idle: reading.tunnel_idle,
    };
    tokio::task::spawn_local(tunnel(caller, target, lease, flight, ends));
    response.map(|_| ResponseBody::Empty)
}

/// Tells a span of the response that has begun; the reason in it counts when another proxy gave it.
pub fn begun<B>(flight: &mut Flight, response: &Response<B>, from_proxy: bool) {
    let headers = response.headers();
    let reason = relayed_reason(headers).filter(|_| from_proxy);
    flight.answered(response.status().as_u16(), reason);
    flight.told(headers);
}

/// The reason that another proxy gave.
pub fn relayed_reason(headers: &HeaderMap) -> Option<Reason> {
    Reason::from_code(headers.get(&MESH_REASON)?.as_bytes())
}
