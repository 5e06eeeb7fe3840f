//! An authority with certificates of its own making, and memcached over TLS with one of them.

use std::fs;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use strongroom_host::backend::TlsFiles;
use tempfile::TempDir;

use crate::memcached::Memcached;

/// An authority. Its files are gone when it is dropped.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) folder: TempDir,
}

/// A certificate and its private key, as files.
pub(crate) struct Certified {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let key = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("it can be written");
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// The authority's own certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What a client needs to trust this authority, and no other.
    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles { ca: Some(self.ca()), ..TlsFiles::default() }
    }

    /// A certificate for servers and clients of these names, under files of this name.
    pub(crate) fn certify(&self, file: &str, names: &[&str]) -> Certified {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::new(names).expect("names of hosts");
        // Of another name than its issuer's: OpenSSL would take it for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, file);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |end: &str| self.folder.path().join(format!("{file}{end}"));
        let certified = Certified { certificate: path(".pem"), key: path(".key") };
        fs::write(&certified.certificate, certificate.pem()).expect("it can be written");
        fs::write(&certified.key, key.serialize_pem()).expect("it can be written");
        certified
    }

    /// memcached over TLS, with a certificate for these names, and more of its `-o` options.
    pub(crate) fn server(&self, names: &[&str], arguments: &[&str], options: &str) -> Memcached {
        let Certified { certificate, key } = self.certify("server", names);
        let options = format!("ssl_chain_cert={},ssl_key={}{options}", certificate.display(), key.display());
        Memcached::start_with(&[arguments, &["-Z", "-o", &options]].concat())
    }
}
