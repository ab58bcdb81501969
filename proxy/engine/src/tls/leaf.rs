//! Reads the certificate that a workload shows (X.509-SVID, sections 2 to 4).
//!
//! In: DER that comes from anywhere. Out: who it names and for how long, or which rule it breaks. Pure. Never: a certificate
//! with two names, or one that could sign others.

use std::time::Duration;

use x509_cert::Certificate;
use x509_cert::der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use x509_cert::der::{Decode, Encode, oid::AssociatedOid};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

use super::spiffe::SpiffeId;

/// What a certificate says of the workload that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub id: SpiffeId,
    /// The name of who signed it, in DER.
    pub issuer: Box<[u8]>,
    /// In lower-case hexadecimal digits, without leading zeros.
    pub serial: Box<str>,
    /// Since 1970.
    pub not_before: Duration,
    pub not_after: Duration,
}

/// The rule that a certificate breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("it is not an X.509 certificate")]
    Unreadable,
    #[error("it has no URI name, and so no SPIFFE id")]
    Nameless,
    #[error("it has more than one URI name")]
    TwoNames,
    #[error("its URI name is not a SPIFFE id")]
    NotSpiffe,
    #[error("it is the certificate of an authority")]
    Authority,
    #[error("its key usage does not allow it to show who a workload is")]
    Usage,
}

impl Leaf {
    pub fn read(der: &[u8]) -> Result<Self, Broken> {
        let certificate = Certificate::from_der(der).map_err(|_| Broken::Unreadable)?;
        let told = &certificate.tbs_certificate;
        let id = the_name(&certificate)?;
        is_no_authority(&certificate)?;
        Ok(Self {
            id,
            issuer: told.issuer.to_der().map_err(|_| Broken::Unreadable)?.into(),
            serial: hex(told.serial_number.as_bytes()).into(),
            not_before: told.validity.not_before.to_unix_duration(),
            not_after: told.validity.not_after.to_unix_duration(),
        })
    }
}

/// A serial number in lower-case hexadecimal digits, without leading zeros.
pub(super) fn hex(serial: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    let digits = serial
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.skip_while(|digit| *digit == '0').collect()
}

fn the_name(certificate: &Certificate) -> Result<SpiffeId, Broken> {
    let names = extension::<SubjectAltName>(certificate)?.map_or(Vec::new(), |(_, names)| names.0);
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        _ => None,
    });
    let first = uris.next().ok_or(Broken::Nameless)?;
    if uris.next().is_some() {
        return Err(Broken::TwoNames);
    }
    SpiffeId::parse(first).ok_or(Broken::NotSpiffe)
}

fn is_no_authority(certificate: &Certificate) -> Result<(), Broken> {
    let constraints = extension::<BasicConstraints>(certificate)?;
    if constraints.is_some_and(|(_, constraints)| constraints.ca) {
        return Err(Broken::Authority);
    }
    let (critical, usage) = extension::<KeyUsage>(certificate)?.ok_or(Broken::Usage)?;
    if usage.key_cert_sign() || usage.crl_sign() {
        return Err(Broken::Authority);
    }
    let extended = extension::<ExtendedKeyUsage>(certificate)?;
    let for_both = extended.is_none_or(|(_, purposes)| {
        [ID_KP_SERVER_AUTH, ID_KP_CLIENT_AUTH]
            .iter()
            .all(|purpose| purposes.0.contains(purpose))
    });
    let sound = critical && usage.digital_signature() && for_both;
    if sound { Ok(()) } else { Err(Broken::Usage) }
}

/// An extension and whether it is critical; one that comes twice is an error (RFC 5280, 4.2).
fn extension<'a, E: Decode<'a> + AssociatedOid>(
    certificate: &'a Certificate,
) -> Result<Option<(bool, E)>, Broken> {
    let found = certificate.tbs_certificate.get::<E>();
    found.map_err(|_| Broken::Unreadable)
}
