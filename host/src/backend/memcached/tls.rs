//! TLS: whom we trust, and who we are.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::greeting::End;
use crate::error::Error;

/// Largest file that is read. A system's bundle of all public authorities takes a quarter of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a [`Tls`] is made of: files in PEM form, and a name.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// Certificates of the authorities that servers' certificates may be from, and no others. `None`: the
    /// system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate and what links it to an authority, for servers that ask for one.
    pub certificate: Option<PathBuf>,
    /// The private key of our certificate.
    pub key: Option<PathBuf>,
    /// The name that servers' certificates must be for. `None`: the host that is connected to.
    pub name: Option<String>,
}

/// How connections are secured by TLS 1.2 or 1.3. Cloning it is cheap.
///
/// Certificates are always verified: there is no way to switch that off.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads the files, now and never again.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for a file that can't be read or has not in it what it should, a key
    /// without a certificate or the other way round, or an impossible name. It begins with the setting's
    /// name: `tls_ca`, `tls_certificate`, `tls_key` or `tls_name`.
    pub fn new(files: &TlsFiles) -> Result<Self, Error> {
        let roots = match &files.ca {
            Some(file) => roots_in(file)?,
            None => system_roots()?,
        };
        // A process may have several providers of cryptography, and then none of them is the default.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| Error::invalid_config(format!("tls: {error}")))?
            .with_root_certificates(roots);
        let config = match (&files.certificate, &files.key) {
            (Some(certificate), Some(key)) => config
                .with_client_auth_cert(certificates("tls_certificate", certificate)?, private_key(key)?)
                .map_err(|_| {
                    Error::invalid_config(
                        "tls_key: allowed is the private key of the first certificate in tls_certificate",
                    )
                })?,
            (None, None) => config.with_no_client_auth(),
            (Some(_), None) => {
                return Err(Error::invalid_config("tls_certificate: allowed only together with a tls_key"));
            }
            (None, Some(_)) => {
                return Err(Error::invalid_config("tls_key: allowed only together with a tls_certificate"));
            }
        };
        let name = files.name.clone().map(ServerName::try_from).transpose();
        let name =
            name.map_err(|_| Error::invalid_config("tls_name: allowed is a host name or an IP address"))?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// Secures a connection to a host.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, End> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|_| End::NoServerName)?,
        };
        TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await.map_err(End::Tls)
    }
}

/// The same only if one is a clone of the other.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.name == other.name
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn roots_in(file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls_ca", file)? {
        roots.add(certificate).map_err(|error| about("tls_ca", file, &error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    // What a system has is not ours to judge: there are always some that can't be used.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::invalid_config(
            "tls_ca: needed, as the system has no certificates of authorities",
        ));
    }
    Ok(roots)
}

fn certificates(setting: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(setting, file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(about(setting, file, &"there is no certificate in PEM form in it"))
        }
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(about(setting, file, &"it is not in PEM form")),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let text = read("tls_key", file)?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| about("tls_key", file, &"there is no unencrypted private key in PEM form in it"))
}

fn read(setting: &str, file: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut text = Zeroizing::new(Vec::new());
    let read = File::open(file).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text));
    match read {
        Ok(_) if text.len() as u64 > FILE_BYTES_MAX => Err(about(setting, file, &"it is larger than 1 MiB")),
        Ok(_) => Ok(text),
        Err(error) => Err(about(setting, file, &error)),
    }
}

fn about(setting: &str, file: &Path, problem: &dyn fmt::Display) -> Error {
    let name = file.to_string_lossy();
    // What is in the file, in the place of its name: a private key, for example.
    if name.contains("-----BEGIN") || name.contains('\n') {
        return Error::invalid_config(format!("{setting}: allowed is the name of a file, not its content"));
    }
    Error::invalid_config(format!("{setting}: {name}: {problem}"))
}
