//! Walks the records of an `ExportLogsServiceRequest` and fills the columns of `otel_logs`.

use super::body::{self, Form};
use super::json;
use super::record::Record;
use super::walk::{EXPANSION, Encoded, check_size, each_item};
use super::wire::Reader;
use crate::error::Result;
use crate::redact::rules::Rules;
use crate::redact::screen::Scratch;
use crate::rejects::Rejects;
use crate::table::ByDay;
use crate::table::logs::Logs;

/// `received`, in nanoseconds since 1970, is the time of records that know none.
pub fn encode(body: &[u8], form: Form, received: u64, rules: Option<&Rules>) -> Result<Encoded> {
    let body = body::open(body, form, &json::LOGS)?;
    let (mut tables, mut rejects) = (ByDay::default(), Rejects::of("log records"));
    let most = form.limit.saturating_mul(EXPANSION);
    let (mut record, mut scratch) = (Record::default(), Scratch::of(rules));
    each_item(Reader::new(&body), |message, origin| {
        record.read(message)?;
        let time = record.when(received);
        match tables.at(time, Logs::default) {
            Ok(table) => table.push(&record, time, origin, &mut scratch)?,
            Err(cause) => rejects.count(cause, record.severity_text, time),
        }
        check_size(tables.size(), most)
    })
    .map_err(|error| error.within(&body))?;
    let blocks = tables.into_blocks().collect();
    Ok(Encoded { blocks, rejects, redacted: scratch.into_counts() })
}
