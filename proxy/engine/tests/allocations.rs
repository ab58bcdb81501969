//! Holds the number of allocations that a request costs: each one more is a decision, not an accident.
//!
//! The engine, a client and an application run in this process, on sockets; the latter two use fixed buffers.

#![expect(unsafe_code, reason = "an allocator that counts; it only passes on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use _engine::recording::otlp::Surroundings;
use _engine::runtime::engine::Engine;
use _engine::tls::vault::Vault;
use serde_json::json;

/// Of one request to the application and its answer, recorded and handed to the exporter.
const MOST_EACH: f64 = 10.0;
const REQUESTS: usize = 2_000;
const REQUEST: &[u8] =
    b"GET /items/17 HTTP/1.1\r\nHost: shop\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\nhere";

struct Counting(AtomicUsize);

#[global_allocator]
static ALLOCATOR: Counting = Counting(AtomicUsize::new(0));

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.0.fetch_add(1, Relaxed);
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[test]
fn a_request_allocates_no_more_than_it_did() {
    let application = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let inbound = free_port();
    let snapshot = json!({
        "epoch": 1,
        "workloads": [{
            "node": {"service": "shop", "version": "v1", "instance": "shop-1"},
            "inbound": {
                "listen": inbound.to_string(),
                "app": application.local_addr().expect("it is bound").to_string(),
            },
        }],
    });
    std::thread::spawn(move || answer(&application));
    let (vault, surroundings) = (Vault::default(), Surroundings::default());
    let engine = Engine::start(&snapshot.to_string(), 1, None, None, vault, surroundings)
        .expect("a whole snapshot");
    let mut client = connected(inbound);
    ask(&mut client, REQUESTS);
    let before = ALLOCATOR.0.load(Relaxed);
    ask(&mut client, REQUESTS);
    let counted = u32::try_from(ALLOCATOR.0.load(Relaxed) - before).expect("few");
    let each = f64::from(counted) / 2_000.0;
    assert!(each <= MOST_EACH, "{each} allocations a request");
    assert!(
        each > 1.0,
        "{each} allocations a request: are they counted?"
    );
    assert!(engine.drain(Duration::from_secs(5)));
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// The application: one connection after the other, one answer for each empty line.
fn answer(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        let mut room = [0; 4_096];
        while let Ok(length @ 1..) = stream.read(&mut room) {
            assert!(
                room[..length].ends_with(b"\r\n\r\n"),
                "one request at a time"
            );
            stream.write_all(ANSWER).expect("the proxy reads");
        }
    }
}

fn connected(to: SocketAddr) -> TcpStream {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match TcpStream::connect(to) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{to}: {error}"),
        }
    }
}

fn ask(client: &mut TcpStream, requests: usize) {
    let mut room = [0; 4_096];
    for _ in 0..requests {
        client.write_all(REQUEST).expect("the proxy reads");
        let mut length = 0;
        while !room[..length].ends_with(b"here") {
            length += client.read(&mut room[length..]).expect("an answer");
        }
        assert!(room.starts_with(b"HTTP/1.1 200 "));
    }
}
