//! Judges a certificate that is shown to clients outside the mesh as they will judge it.
//!
//! In: DER, the host that it is shown for, the time. Out: when it ends, and what is wrong or soon will be, in the operator's
//! words. Pure.

use std::time::Duration;

use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::snapshot::ANY_LABELS;

/// Who gets certificates for long renews them weeks before they end; others do it in the last third.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
const LAST_PART: u32 = 6;
const NAMES_TOLD: usize = 3;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Since 1970.
    pub ends: Option<Duration>,
    pub problems: Vec<String>,
}

/// `host` may be a domain (`*.example.com`); `None` is any, which no name can be wrong for.
#[must_use]
pub fn judge(der: &[u8], host: Option<&str>, now: Duration) -> Judged {
    let Ok(certificate) = Certificate::from_der(der) else {
        return Judged {
            ends: None,
            problems: vec!["is no X.509 certificate".to_owned()],
        };
    };
    let validity = &certificate.tbs_certificate.validity;
    let begins = validity.not_before.to_unix_duration();
    let ends = validity.not_after.to_unix_duration();
    let names = names(&certificate);
    let wrong = host.filter(|host| !names.iter().any(|name| covers(name, host)));
    let wrong = wrong.map(|host| {
        let few = names[..names.len().min(NAMES_TOLD)].join(", ");
        let few = if few.is_empty() {
            "no host"
        } else {
            few.as_str()
        };
        format!("is for {few}, not for {host}: clients refuse it")
    });
    Judged {
        ends: Some(ends),
        problems: time(begins, ends, now).into_iter().chain(wrong).collect(),
    }
}

fn time(begins: Duration, ends: Duration, now: Duration) -> Option<String> {
    let left = ends.saturating_sub(now);
    let soon = SOON.min(ends.saturating_sub(begins) / LAST_PART);
    if left.is_zero() {
        let past = span(now.saturating_sub(ends));
        Some(format!("ended {past} ago: clients refuse it"))
    } else if now < begins {
        let ahead = span(begins.saturating_sub(now));
        Some(format!("begins in {ahead}: clients refuse it until then"))
    } else if left < soon {
        let left = span(left);
        Some(format!("ends in {left}: put the next one in its place"))
    } else {
        None
    }
}

fn span(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..4_320 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

fn names(certificate: &Certificate) -> Vec<String> {
    let found = certificate.tbs_certificate.get::<SubjectAltName>();
    let names = found
        .ok()
        .flatten()
        .map_or(Vec::new(), |(_, names)| names.0);
    let dns = names.into_iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

/// RFC 9525, 6.3: a wildcard stands for one whole label, the first.
fn covers(name: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let below = |rest| {
        host.split_once('.')
            .is_some_and(|(_, domain)| domain == rest)
    };
    name == host || name.strip_prefix(ANY_LABELS).is_some_and(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn told(names: &[&str], host: Option<&str>, day: u64) -> Vec<String> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2030, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 4, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let begins = Duration::from_secs(1_893_456_000);
        let judged = judge(made.der(), host, begins + Duration::from_secs(day * DAY));
        assert_eq!(judged.ends, Some(begins + Duration::from_secs(90 * DAY)));
        judged.problems
    }

    #[test]
    fn a_certificate_is_judged_as_clients_do() {
        let shop = Some("shop.example");
        assert_eq!(told(&["shop.example"], shop, 10), [""; 0]);
        assert_eq!(told(&["SHOP.example"], shop, 10), [""; 0]);
        assert_eq!(told(&["*.example"], shop, 10), [""; 0]);
        assert_eq!(told(&["*.example"], Some("*.example"), 10), [""; 0]);
        assert_eq!(told(&["other.example"], None, 10), [""; 0]);
        let wrong = "is for other.example, not for shop.example: clients refuse it";
        assert_eq!(told(&["other.example"], shop, 10), [wrong]);
        let deep = "is for *.example, not for a.shop.example: clients refuse it";
        assert_eq!(told(&["*.example"], Some("a.shop.example"), 10), [deep]);
        let nameless = "is for no host, not for shop.example: clients refuse it";
        assert_eq!(told(&[], shop, 10), [nameless]);
    }

    #[test]
    fn its_end_is_told_in_time() {
        let any = |day| told(&["shop.example"], None, day);
        assert_eq!(any(75), [""; 0]);
        assert_eq!(any(77), ["ends in 13 days: put the next one in its place"]);
        assert_eq!(any(93), ["ended 3 days ago: clients refuse it"]);
        assert_eq!(
            judge(b"x", None, Duration::ZERO).problems,
            ["is no X.509 certificate"]
        );
        let early = time(
            Duration::from_secs(7_200),
            Duration::from_secs(9_000),
            Duration::ZERO,
        );
        assert_eq!(
            early.unwrap(),
            "begins in 2 h: clients refuse it until then"
        );
    }
}
