//! Why two proxies do not believe each other: one cause out of a closed list, wherever it was found.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, OtherError};

use super::leaf::Broken;
use crate::reasons::Reason;

const DENIED: &str = "its certificate is denied";

/// What is wrong with the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it showed no certificate")]
    NoCertificate,
    #[error("{0}")]
    Leaf(Broken),
    #[error("its trust domain is not one that is trusted here")]
    WrongTrustDomain,
    #[error("no authority that is trusted here signed it")]
    UnknownAuthority,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYetValid,
    #[error("its chain is not sound")]
    Unsound,
    #[error("{DENIED}")]
    Denied,
    #[error("it is the certificate of another service")]
    WrongPeer,
    #[error("this proxy has no certificate of its own")]
    NoIdentity,
    #[error("the other end refused the certificate of this proxy")]
    Refused,
    #[error("the handshake broke")]
    Broken,
    #[error("the handshake took too long")]
    Slow,
}

impl Refusal {
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::NoCertificate => Reason::TlsNoCertificate,
            Self::Leaf(Broken::TwoNames) => Reason::TlsTwoNames,
            Self::Leaf(_) | Self::Unsound => Reason::TlsBadCertificate,
            Self::WrongTrustDomain => Reason::TlsWrongTrustDomain,
            Self::UnknownAuthority => Reason::TlsUnknownAuthority,
            Self::Expired => Reason::TlsExpired,
            Self::NotYetValid => Reason::TlsNotYetValid,
            Self::Denied => Reason::TlsDenied,
            Self::WrongPeer => Reason::TlsWrongPeer,
            Self::NoIdentity => Reason::TlsNoIdentity,
            Self::Refused => Reason::TlsRefused,
            Self::Broken | Self::Slow => Reason::TlsHandshakeFailed,
        }
    }

    /// Of a connection that ended with this error.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        let cause = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<rustls::Error>());
        match cause {
            None if is_broken(error) => Self::Denied,
            Some(rustls::Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(rustls::Error::InvalidCertificate(fault)) => Self::of_certificate(fault),
            // Where none is chosen for a client, rustls has no other word for it.
            Some(rustls::Error::General(_)) => Self::NoIdentity,
            Some(rustls::Error::AlertReceived(alert)) if about_certificate(*alert) => Self::Refused,
            _ => Self::Broken,
        }
    }

    /// Somewhere among the causes of an error: a connection broke because one end does not believe the other any more.
    #[must_use]
    pub fn cause_of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            let io = error.downcast_ref::<io::Error>();
            let io = io.or_else(|| error.downcast_ref::<h2::Error>()?.get_io());
            if let Some(io) = io {
                return Some(Self::of(io))
                    .filter(|refusal| matches!(refusal, Self::Refused | Self::Denied));
            }
            next = error.source();
        }
        None
    }

    /// As the end of a connection that was open.
    #[must_use]
    pub fn broken(self) -> io::Error {
        io::Error::other(self)
    }

    fn of_certificate(fault: &CertificateError) -> Self {
        match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::Revoked => Self::Denied,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongPeer
            }
            CertificateError::Other(OtherError(cause)) => {
                cause.downcast_ref().copied().unwrap_or(Self::Unsound)
            }
            _ => Self::Unsound,
        }
    }
}

/// The other end hears the cause too, where TLS has a word for it (RFC 8446, 6.2).
impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        let fault = match refusal {
            Refusal::Expired => CertificateError::Expired,
            Refusal::NotYetValid => CertificateError::NotValidYet,
            Refusal::UnknownAuthority => CertificateError::UnknownIssuer,
            Refusal::Denied => CertificateError::Revoked,
            Refusal::WrongPeer => CertificateError::NotValidForName,
            other => CertificateError::Other(OtherError(std::sync::Arc::new(other))),
        };
        Self::InvalidCertificate(fault)
    }
}

/// HTTP/2 passes on what an error says, not what it is.
fn is_broken(error: &io::Error) -> bool {
    let cause = error.get_ref();
    cause.is_some_and(|cause| cause.is::<Refusal>() || cause.to_string() == DENIED)
}

fn about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}
