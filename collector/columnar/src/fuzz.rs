//! What must hold for any bytes, one function for each parser of this crate; run like those of the proxy.
//!
//! In: bytes from outside, as a fuzzer makes them. Out: nothing, or a panic that names the promise which was broken.

#![expect(clippy::missing_panics_doc, reason = "panicking is what they are for")]

use std::sync::OnceLock;

use crate::{
    Coding, Form, Rules, TableBlock, Tail, Terms, Verdict, encode_decided, encode_logs, encode_metrics,
    encode_traces, encode_with_facts, native_block_length,
};

/// Bytes of a request, once decompressed.
const LIMIT: usize = 1 << 20;
/// Every kind of rule there is.
const ALL: &str = r#"{"redact": [{"name": "d", "action": "drop", "keys": ["*a*"]}, {"name": "m", "action": "mask",
    "values": ["card", "email", "bearer"]}, {"name": "h", "action": "hash", "regex": ["[0-9]+"]}],
    "count": 2, "value_bytes": 5}"#;
static RULES: OnceLock<Rules> = OnceLock::new();

/// The first byte is the form of a request and whether rules apply to it, the rest its body: what is taken of it becomes whole blocks.
pub fn otlp_request(bytes: &[u8]) {
    let Some((form_byte, body)) = bytes.split_first() else {
        return;
    };
    let coding = match form_byte >> 1 & 3 {
        1 => Coding::Gzip,
        2 => Coding::Zstd,
        _ => Coding::Identity,
    };
    let form = Form { json: form_byte & 1 == 1, coding, limit: LIMIT };
    let rules = RULES.get_or_init(|| Rules::read(ALL).expect("are rules"));
    let rules = (form_byte >> 3 & 1 == 1).then_some(rules);
    let taken = [
        encode_traces(body, form, rules),
        encode_logs(body, form, 1, rules),
        encode_metrics(body, form, rules),
    ];
    for encoded in taken.into_iter().flatten() {
        whole(&encoded.blocks);
    }
    sampled(body, form, rules);
}

/// Every span that was taken is stored or counted, whatever was decided of it.
fn sampled(body: &[u8], form: Form, rules: Option<&Rules>) {
    let Ok((taken, facts)) = encode_with_facts(body, form, rules) else {
        return;
    };
    let terms = Terms {
        wait: 0,
        sample: 0.5,
        weight: "2".to_owned(),
        slow: 0.99,
        rare: 0,
        spans: 10,
        bytes: 10,
        traces: 10,
    };
    let mut tail = Tail::new(terms);
    tail.see(1, 1, &facts, 0);
    for (_, verdict) in tail.due(0) {
        let noted = Verdict::read(&verdict.to_bytes()).expect("was a verdict");
        let decided = encode_decided(body, form, rules, &noted).expect("was taken before");
        assert_eq!(whole(&decided.blocks), whole(&taken.blocks));
    }
}

/// Rows of the blocks, each of which has some and ends where it says.
fn whole(blocks: &[TableBlock]) -> usize {
    for block in blocks {
        let length = native_block_length(&block.data).expect("is a block");
        assert_eq!(length, block.data.len(), "{}", block.table);
        assert!(block.rows > 0, "{}", block.table);
    }
    blocks.iter().map(|block| block.rows).sum()
}

/// A block ends where it ends, whatever stands behind it.
pub fn native_block(bytes: &[u8]) {
    if let Ok(length @ 1..) = native_block_length(bytes) {
        assert_eq!(native_block_length(&bytes[..length]).expect("was read"), length);
        assert_eq!(native_block_length(&bytes[..length - 1]).expect("was read"), 0);
    }
}

#[cfg(test)]
mod tests;
