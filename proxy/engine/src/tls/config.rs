//! What rustls is told for each side of a connection: TLS 1.3, both ends with certificates, sessions that can be resumed.

use std::sync::{Arc, LazyLock};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use super::credential::Credential;
use super::spiffe::SpiffeId;
use super::trust::Trust;
use super::verify::{AnyWorkload, Asking, OneService};

/// By which a proxy's own connections are told from those that an application encrypts by itself (RFC 7301).
pub const OPAQUE: &[u8] = b"whymesh";
pub const HTTP1: &[u8] = b"http/1.1";
pub const HTTP2: &[u8] = b"h2";
/// Endpoints of one service whose sessions a caller remembers.
const REMEMBERED: usize = 64;

pub static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = ring::default_provider();
    // The first one that the caller names is taken: the one that takes the fewest cycles.
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
});

/// What callers are shown, and asked for.
pub struct Incoming {
    pub config: Arc<ServerConfig>,
    pub trust: Arc<Trust>,
}

/// What one service is shown, and asked for, by what is to be spoken inside.
pub struct Outgoing {
    pub http1: Arc<ClientConfig>,
    pub http2: Arc<ClientConfig>,
    pub opaque: Arc<ClientConfig>,
    pub trust: Arc<Trust>,
    pub expected: SpiffeId,
}

impl Incoming {
    /// Sessions that began under another certificate or other roots cannot be resumed under these.
    pub fn new(credential: &Credential, trust: &Arc<Trust>) -> Result<Self, rustls::Error> {
        let shown = Arc::new(SingleCertAndKey::from(Arc::clone(&credential.certified)));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(Asking(AnyWorkload(Arc::clone(trust)))))
            .with_cert_resolver(shown);
        config.alpn_protocols = [HTTP2, HTTP1, OPAQUE].map(<[u8]>::to_vec).into();
        config.ticketer = ring::Ticketer::new()?;
        config.send_tls13_tickets = 1;
        Ok(Self {
            config: Arc::new(config),
            trust: Arc::clone(trust),
        })
    }
}

impl Outgoing {
    pub fn new(
        credential: &Credential,
        trust: &Arc<Trust>,
        expected: SpiffeId,
    ) -> Result<Self, rustls::Error> {
        let shown = Arc::new(SingleCertAndKey::from(Arc::clone(&credential.certified)));
        let verifier = OneService {
            trust: Arc::clone(trust),
            expected: expected.clone(),
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Asking(verifier)))
            .with_client_cert_resolver(shown);
        config.enable_sni = false;
        config.resumption = Resumption::in_memory_sessions(REMEMBERED);
        let speaking = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            Arc::new(config)
        };
        Ok(Self {
            http1: speaking(HTTP1),
            http2: speaking(HTTP2),
            opaque: speaking(OPAQUE),
            trust: Arc::clone(trust),
            expected,
        })
    }
}
