use std::{error::Error, net::IpAddr, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

/// The TLS side of an emulator: an authority made for it and those that share it, and a certificate for this machine signed by that.
///
/// Two certificates, because strict clients take none that is its own authority. Neither key leaves this value and its copies.
#[derive(Clone)]
pub(crate) struct Tls {
    /// The authority's certificate.
    pub(crate) pem: String,
    pub(crate) der: Vec<u8>,
    pub(crate) acceptor: TlsAcceptor,
}

impl Tls {
    /// `protocols`: those offered by ALPN, the best first.
    pub(crate) fn new(addr: IpAddr, protocols: &[&str]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("lb-emulator: an authority for tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let names = ["localhost", "127.0.0.1", "::1", &addr.to_string()].map(str::to_owned);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named("lb-emulator");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;

        // The provider by name: the process may have another as its default, or two and none.
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let mut config = config.with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = names_of(protocols);
        let (pem, der) = (authority.pem(), authority.der().to_vec());
        Ok(Self { pem, der, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// The same certificate, under which these protocols are offered.
    pub(crate) fn offering(self, protocols: &[&str]) -> Self {
        let mut config = ServerConfig::clone(self.acceptor.config());
        config.alpn_protocols = names_of(protocols);
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), ..self }
    }
}

fn names_of(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}
