//! Certificates for 127.0.0.1, good and bad ones.

use std::sync::{Arc, LazyLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// What a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Of the authority that the clients trust.
    Good,
    Expired,
    OfAnotherName,
    /// Of an authority that they do not trust.
    OfAStranger,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// That which the clients trust.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| authority("an authority"));
static STRANGER: LazyLock<Authority> = LazyLock::new(|| authority("a stranger"));

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What the clients trust.
pub fn trusted() -> (CertificateDer<'static>, String) {
    (AUTHORITY.der().clone(), AUTHORITY.pem())
}

/// A server's side of TLS, which offers both versions of HTTP.
pub fn acceptor(certificate: Certificate) -> TlsAcceptor {
    let name = match certificate {
        Certificate::OfAnotherName => "another.invalid",
        _ => "127.0.0.1",
    };
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    if certificate == Certificate::Expired {
        params.not_after = date_time_ymd(2001, 1, 1);
    }
    params.use_authority_key_identifier_extension = true;
    let issuer = if certificate == Certificate::OfAStranger { &STRANGER } else { &AUTHORITY };
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    config.alpn_protocols = [b"h2".as_slice(), b"http/1.1"].map(<[u8]>::to_vec).to_vec();
    TlsAcceptor::from(Arc::new(config))
}
