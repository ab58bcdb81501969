//! SIGNED LISTS -> WHO IS DENIED: certificate revocation lists (RFC 5280, 5), each of the issuer whose certificates it names.
//!
//! In: lists, and the roots of their trust domain. Out: whether a certificate is denied, or what is wrong with a list. Pure.
//! Never: a list that counts no more because its time is over: while the control plane is away an old one is all there is.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::asn1::{AnyRef, BitStringRef};
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::KeyUsage;

use super::leaf::{Leaf, hex};
use super::trust::algorithms;
use crate::snapshot::{self, Refused};

/// What is not believed although it holds, by trust domain.
#[derive(Debug, Default)]
pub struct Denied(HashMap<Box<str>, Vec<List>>);

/// The serials that one issuer denies.
#[derive(Debug)]
struct List {
    /// Its name, in DER.
    issuer: Box<[u8]>,
    serials: HashSet<Box<str>>,
}

/// What is wrong with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unsound {
    #[error("issuer: is not a certificate, as DER in base64")]
    Issuer,
    #[error("issuer: no root of this trust domain signed it")]
    Foreign,
    #[error("issuer: may sign no lists (its key usage has no cRLSign)")]
    MayNot,
    #[error("crl: is not a certificate revocation list, as DER in base64")]
    Unreadable,
    #[error("crl: is the list of another issuer")]
    OtherIssuer,
    #[error("crl: has a critical extension, so it may be part of a list only")]
    Partial,
    #[error("crl: its signature is not that of the issuer")]
    Signature,
}

impl Denied {
    /// Every list of a snapshot; refuses it by the first one that cannot be believed.
    pub fn of(told: &snapshot::Trust) -> Result<Self, Refused> {
        let mut known = HashMap::new();
        for (domain, crls) in &told.crls {
            let roots = told.domains.get(domain).map_or(&[][..], Vec::as_slice);
            let read = crls.iter().enumerate().map(|(place, crl)| {
                List::read(crl, roots).map_err(|unsound| Refused {
                    field: format!("trust.crls.{domain}[{place}]"),
                    problem: unsound.to_string(),
                })
            });
            let lists: Vec<_> = read.collect::<Result<_, _>>()?;
            known.insert(domain.as_str().into(), lists);
        }
        Ok(Self(known))
    }

    /// Whether the issuer of a certificate denies it.
    #[must_use]
    pub fn has(&self, leaf: &Leaf) -> bool {
        let mut lists = self.0.get(leaf.id.trust_domain()).into_iter().flatten();
        lists.any(|list| list.issuer == leaf.issuer && list.serials.contains(&leaf.serial))
    }
}

impl List {
    fn read(told: &snapshot::Crl, roots: &[String]) -> Result<Self, Unsound> {
        let der = STANDARD.decode(&told.issuer).map_err(|_| Unsound::Issuer)?;
        let issuer = Certificate::from_der(&der).map_err(|_| Unsound::Issuer)?;
        if !roots.iter().any(|root| is_below(&der, root)) {
            return Err(Unsound::Foreign);
        }
        let usage = issuer.tbs_certificate.get::<KeyUsage>();
        if !usage.is_ok_and(|usage| usage.is_some_and(|(_, usage)| usage.crl_sign())) {
            return Err(Unsound::MayNot);
        }
        let der = STANDARD
            .decode(&told.crl)
            .map_err(|_| Unsound::Unreadable)?;
        let list = CertificateList::from_der(&der).map_err(|_| Unsound::Unreadable)?;
        if list.tbs_cert_list.issuer != issuer.tbs_certificate.subject {
            return Err(Unsound::OtherIssuer);
        }
        if !is_signed(&der, &issuer) {
            return Err(Unsound::Signature);
        }
        Self::of(list)
    }

    fn of(list: CertificateList) -> Result<Self, Unsound> {
        let told = list.tbs_cert_list;
        let entries = told.revoked_certificates.unwrap_or_default();
        let of_entries = entries.iter().map(|one| one.crl_entry_extensions.as_ref());
        if of_entries
            .chain([told.crl_extensions.as_ref()])
            .any(is_critical)
        {
            return Err(Unsound::Partial);
        }
        let issuer = told.issuer.to_der().map_err(|_| Unsound::Unreadable)?;
        let serial = |number: &[u8]| hex(number).into();
        Ok(Self {
            issuer: issuer.into(),
            serials: entries
                .iter()
                .map(|one| serial(one.serial_number.as_bytes()))
                .collect(),
        })
    }
}

/// One that is not understood changes what a list says (RFC 5280, 5.2).
fn is_critical(extensions: Option<&Extensions>) -> bool {
    extensions.into_iter().flatten().any(|one| one.critical)
}

/// Whether a certificate is this root (DER in base64), or signed by it.
fn is_below(der: &[u8], root: &str) -> bool {
    let Ok(root) = STANDARD.decode(root) else {
        return false;
    };
    root == der || Certificate::from_der(&root).is_ok_and(|root| is_signed(der, &root))
}

/// Whether the holder of a certificate signed a certificate or list.
fn is_signed(der: &[u8], by: &Certificate) -> bool {
    let Ok((content, algorithm, signature)) = parts(der) else {
        return false;
    };
    let key = &by.tbs_certificate.subject_public_key_info;
    let Ok(kind) = key.algorithm.to_der() else {
        return false;
    };
    let Ok(kind) = AnyRef::from_der(&kind) else {
        return false;
    };
    let (key, signature) = (key.subject_public_key.raw_bytes(), signature.raw_bytes());
    algorithms().all.iter().any(|known| {
        known.signature_alg_id().as_ref() == algorithm.value()
            && known.public_key_alg_id().as_ref() == kind.value()
            && known.verify_signature(key, content, signature).is_ok()
    })
}

/// What is signed, by which algorithm, and the signature (RFC 5280, 4.1.1 and 5.1.1).
fn parts(der: &[u8]) -> x509_cert::der::Result<(&[u8], AnyRef<'_>, BitStringRef<'_>)> {
    SliceReader::new(der)?.sequence(|inner| {
        let content = inner.tlv_bytes()?;
        Ok((
            content,
            AnyRef::decode(inner)?,
            BitStringRef::decode(inner)?,
        ))
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
    };

    use super::*;
    use crate::tls::spiffe::SpiffeId;

    /// A self-signed authority, and its certificate in base64.
    fn authority(name: &str, usages: &[KeyUsagePurpose]) -> (Issuer<'static, KeyPair>, String) {
        let mut asked = CertificateParams::default();
        asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        asked.key_usages = usages.to_vec();
        asked.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let made = asked.self_signed(&key).unwrap();
        (Issuer::new(asked, key), STANDARD.encode(made.der()))
    }

    /// A list that ended long ago.
    fn list(by: &Issuer<'static, KeyPair>, serials: &[u64]) -> String {
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let made = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2020, 1, 2),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        STANDARD.encode(made.signed_by(by).unwrap().der())
    }

    fn told(root: &str, issuer: &str, crl: String) -> snapshot::Trust {
        let crl = snapshot::Crl {
            issuer: issuer.to_owned(),
            crl,
        };
        snapshot::Trust {
            domains: [("a.b".to_owned(), vec![root.to_owned()])].into(),
            crls: [("a.b".to_owned(), vec![crl])].into(),
        }
    }

    fn problem(told: &snapshot::Trust) -> String {
        let refused = Denied::of(told).unwrap_err();
        assert_eq!(refused.field, "trust.crls.a.b[0]");
        refused.problem
    }

    const BOTH: &[KeyUsagePurpose] = &[KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

    #[test]
    fn a_list_counts_for_the_certificates_of_its_issuer_for_ever() {
        let (issuer, root) = authority("one", BOTH);
        let denied = Denied::of(&told(&root, &root, list(&issuer, &[0x0a1b]))).unwrap();
        let name = |of: &str| {
            let der = STANDARD.decode(of).unwrap();
            let certificate = Certificate::from_der(&der).unwrap();
            certificate.tbs_certificate.subject.to_der().unwrap()
        };
        let leaf = |domain: &str, issuer: &str, serial: &str| Leaf {
            id: SpiffeId::parse(&format!("spiffe://{domain}/x")).unwrap(),
            issuer: name(issuer).into(),
            serial: serial.into(),
            not_before: std::time::Duration::ZERO,
            not_after: std::time::Duration::ZERO,
        };
        let (_, other) = authority("other", BOTH);
        assert!(denied.has(&leaf("a.b", &root, "a1b")));
        assert!(!denied.has(&leaf("a.b", &root, "a1c")));
        assert!(
            !denied.has(&leaf("a.b", &other, "a1b")),
            "of another issuer"
        );
        assert!(!denied.has(&leaf("b.c", &root, "a1b")), "of another domain");
    }

    #[test]
    fn a_list_that_nobody_vouches_for_is_refused_by_what_is_wrong() {
        let (issuer, root) = authority("one", BOTH);
        let (namesake, other) = authority("one", BOTH);
        let (stranger, strange) = authority("two", BOTH);
        let (_, mute) = authority("one", &[KeyUsagePurpose::KeyCertSign]);
        let sound = list(&issuer, &[1]);
        for (told, unsound) in [
            (told(&root, "%", sound.clone()), Unsound::Issuer),
            (told(&root, "AAAA", sound.clone()), Unsound::Issuer),
            (
                told(&root, &strange, list(&stranger, &[1])),
                Unsound::Foreign,
            ),
            (told(&other, &root, sound.clone()), Unsound::Foreign),
            (told(&mute, &mute, sound.clone()), Unsound::MayNot),
            (told(&root, &root, "%".to_owned()), Unsound::Unreadable),
            (told(&root, &root, "AAAA".to_owned()), Unsound::Unreadable),
            (
                told(&root, &root, list(&stranger, &[1])),
                Unsound::OtherIssuer,
            ),
            (
                told(&root, &root, list(&namesake, &[1])),
                Unsound::Signature,
            ),
        ] {
            assert_eq!(problem(&told), unsound.to_string());
        }
    }
}
