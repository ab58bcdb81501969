//! Copies bytes both ways between two connections until both sides have ended, or neither has said anything for too long.
//!
//! In: two connections. Out: the bytes of each at the other, and its end as soon as it comes (half-close). Never: memory
//! for a connection that is silent: all of a worker's bytes pass through one buffer, and only what a reader does not take
//! yet is kept for it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use crate::tls::refusal::Refusal;

/// Read at a time; also the most that waits for a slow reader, in each direction.
const ROOM: usize = 65_536;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM].into());
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// From the caller to the callee.
    Sent,
    Received,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Both sides closed theirs.
    Closed,
    Idle,
    CallerBroke,
    CalleeBroke,
    /// The certificate of one of them is denied.
    Denied,
}

/// One direction.
#[derive(Default)]
struct Pipe {
    /// Read, and not yet taken by the other side.
    left: Bytes,
    unflushed: bool,
    /// Nothing more comes.
    dry: bool,
    done: bool,
}

enum Broken {
    Source,
    Sink,
    Denied,
}

/// Copies until the end; `moved` hears of all bytes that were passed on.
pub async fn splice<A, B>(
    caller: &mut A,
    target: &mut B,
    held: Bytes,
    idle: Duration,
    mut moved: impl FnMut(Flow, usize),
) -> Ended
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut there = Pipe {
        left: held,
        ..Pipe::default()
    };
    let mut back = Pipe::default();
    let mut watch = pin!(sleep(idle));
    let mut last = Instant::now();
    poll_fn(|cx| {
        let mut passed = false;
        let mut count = |flow, length| {
            passed = true;
            moved(flow, length);
        };
        let sent = there.pass(cx, caller, target, |length| count(Flow::Sent, length));
        let received = back.pass(cx, target, caller, |length| count(Flow::Received, length));
        match (sent, received) {
            (Poll::Ready(Err(Broken::Denied)), _) | (_, Poll::Ready(Err(Broken::Denied))) => {
                return Poll::Ready(Ended::Denied);
            }
            (Poll::Ready(Err(Broken::Source)), _) | (_, Poll::Ready(Err(Broken::Sink))) => {
                return Poll::Ready(Ended::CallerBroke);
            }
            (Poll::Ready(Err(Broken::Sink)), _) | (_, Poll::Ready(Err(Broken::Source))) => {
                return Poll::Ready(Ended::CalleeBroke);
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Ended::Closed),
            _ => {}
        }
        if passed {
            last = Instant::now();
        }
        while watch.as_mut().poll(cx).is_ready() {
            if last + idle <= Instant::now() {
                return Poll::Ready(Ended::Idle);
            }
            watch.as_mut().reset(last + idle);
        }
        Poll::Pending
    })
    .await
}

// === impl Broken ===

impl Broken {
    #[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
    fn source(error: io::Error) -> Self {
        Self::of(&error).unwrap_or(Self::Source)
    }

    #[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
    fn sink(error: io::Error) -> Self {
        Self::of(&error).unwrap_or(Self::Sink)
    }

    fn of(error: &io::Error) -> Option<Self> {
        (Refusal::of(error) == Refusal::Denied).then_some(Self::Denied)
    }
}

// === impl Pipe ===

impl Pipe {
    /// Passes on what there is; ready when all of it, and its end, has been passed on.
    fn pass(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        mut passed: impl FnMut(usize),
    ) -> Poll<Result<(), Broken>> {
        if self.done {
            return Poll::Ready(Ok(()));
        }
        loop {
            while !self.left.is_empty() {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.left));
                let length = written.map_err(Broken::sink)?;
                if length == 0 {
                    return Poll::Ready(Err(Broken::Sink));
                }
                self.left.advance(length);
                self.unflushed = true;
                passed(length);
            }
            if self.dry {
                ready!(Pin::new(&mut *to).poll_shutdown(cx)).map_err(Broken::sink)?;
                self.done = true;
                return Poll::Ready(Ok(()));
            }
            if self.read_through(cx, from, to, &mut passed)?.is_pending() {
                if self.unflushed {
                    ready!(Pin::new(&mut *to).poll_flush(cx)).map_err(Broken::sink)?;
                    self.unflushed = false;
                }
                return Poll::Pending;
            }
        }
    }

    /// Reads once and writes what was read as far as it is taken; the rest is left.
    fn read_through(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        passed: &mut impl FnMut(usize),
    ) -> Result<Poll<()>, Broken> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut room = ReadBuf::new(buffer);
            let Poll::Ready(read) = Pin::new(from).poll_read(cx, &mut room) else {
                return Ok(Poll::Pending);
            };
            read.map_err(Broken::source)?;
            let bytes = room.filled();
            self.dry = bytes.is_empty();
            if self.dry {
                return Ok(Poll::Ready(()));
            }
            let written = match Pin::new(to).poll_write(cx, bytes) {
                Poll::Ready(Ok(length)) if length > 0 => length,
                Poll::Ready(Ok(_)) => return Err(Broken::Sink),
                Poll::Ready(Err(error)) => return Err(Broken::sink(error)),
                Poll::Pending => 0,
            };
            if written > 0 {
                self.unflushed = true;
                passed(written);
            }
            self.left = Bytes::copy_from_slice(&bytes[written..]);
            Ok(Poll::Ready(()))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn bytes_and_ends_go_both_ways_through_small_pipes() {
        let (mut caller, mut near) = duplex(7);
        let (mut far, mut server) = duplex(5);
        let (mut sent, mut received) = (0, 0);
        let held = Bytes::from_static(b"first ");
        let spliced = splice(
            &mut near,
            &mut far,
            held,
            Duration::from_secs(5),
            |flow, length| match flow {
                Flow::Sent => sent += length,
                Flow::Received => received += length,
            },
        );
        let asked = vec![b'q'; 10_000];
        let answering = async {
            let mut question = Vec::new();
            server.read_to_end(&mut question).await.unwrap();
            // The caller has closed its side and still gets the whole answer.
            server.write_all(&vec![b'a'; 20_000]).await.unwrap();
            drop(server);
            question
        };
        let asking = async {
            let (mut read, mut write) = tokio::io::split(&mut caller);
            write.write_all(&asked).await.unwrap();
            write.shutdown().await.unwrap();
            let mut answer = Vec::new();
            read.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let (ended, question, answer) = tokio::join!(spliced, answering, asking);
        assert_eq!(ended, Ended::Closed);
        assert_eq!(question, [&b"first "[..], &asked].concat());
        assert_eq!((sent, received, answer.len()), (10_006, 20_000, 20_000));
    }

    #[tokio::test]
    async fn silence_ends_it_only_when_it_is_long_enough() {
        let (mut caller, mut near) = duplex(64);
        let (mut far, mut server) = duplex(64);
        let start = Instant::now();
        let idle = Duration::from_millis(200);
        let talk = async {
            for _ in 0..3 {
                sleep(Duration::from_millis(150)).await;
                caller.write_all(b"ping").await.unwrap();
                server.read_exact(&mut [0; 4]).await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = splice(&mut near, &mut far, Bytes::new(), idle, |_, _| {}) => ended,
            () = talk => unreachable!(),
        };
        assert_eq!(ended, Ended::Idle);
        assert!(start.elapsed().as_millis() >= 650);
    }
}
