//! The settings of the way to the servers: TLS, and who we are.
//!
//! Some only make sense together. As they come one by one, that is checked when the cache is made; the files
//! are read then too.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::Config;
use crate::backend::Credentials;
#[cfg(feature = "tls")]
use crate::backend::{Tls, TlsFiles};
use crate::error::Error;

/// How connections to servers are secured, and who we are there.
#[derive(Clone, Default)]
pub(crate) struct Transport {
    username: Option<Zeroizing<String>>,
    password: Option<Zeroizing<String>>,
    tls: bool,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    name: Option<String>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("tls", &self.tls)
            .field("has_credentials", &self.username.is_some())
            .finish_non_exhaustive()
    }
}

/// The settings of the way to the servers.
impl Config {
    /// The username for servers that ask for one (`-Y`), together with a [`password`](Self::password). Empty:
    /// none.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for more than 250 bytes, white space, control characters or a colon.
    pub fn username(mut self, username: &str) -> Result<Self, Error> {
        if !username.is_empty() && !Credentials::is_user(username) {
            return Err(Error::invalid_config(
                "username: allowed are up to 250 bytes without white space and colons",
            ));
        }
        self.transport.username = given(username).map(Zeroizing::new);
        Ok(self)
    }

    /// The password that goes with the [`username`](Self::username). Empty: none. Without
    /// [`tls`](Self::tls), whoever is on the network between reads it.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for more than 250 bytes, white space or control characters.
    pub fn password(mut self, password: &str) -> Result<Self, Error> {
        if !password.is_empty() && !Credentials::is_password(password) {
            return Err(Error::invalid_config("password: allowed are up to 250 bytes without white space"));
        }
        self.transport.password = given(password).map(Zeroizing::new);
        Ok(self)
    }

    /// Whether TCP connections to servers are secured by TLS; false unless set. Unix sockets never are.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for `true`, where the library was built without its feature `tls`.
    pub fn tls(mut self, tls: bool) -> Result<Self, Error> {
        if tls && !cfg!(feature = "tls") {
            return Err(Error::invalid_config(
                "tls: allowed is false, as strongroom-host was built without its feature `tls`",
            ));
        }
        self.transport.tls = tls;
        Ok(self)
    }

    /// A file with the certificates, in PEM form, of the authorities that servers' certificates may be from.
    /// Empty: the system's. The file is read when the cache is made, as those of the other settings.
    #[must_use]
    pub fn tls_ca(mut self, file: &str) -> Self {
        self.transport.ca = given(file).map(PathBuf::from);
        self
    }

    /// A file with our own certificate in PEM form, followed by what links it to an authority, for servers
    /// that ask for one; together with a [`tls_key`](Self::tls_key). Empty: none.
    #[must_use]
    pub fn tls_certificate(mut self, file: &str) -> Self {
        self.transport.certificate = given(file).map(PathBuf::from);
        self
    }

    /// A file with the private key, in PEM form, of our own certificate. Empty: none.
    #[must_use]
    pub fn tls_key(mut self, file: &str) -> Self {
        self.transport.key = given(file).map(PathBuf::from);
        self
    }

    /// The name that servers' certificates must be for. Empty: the host that is connected to.
    #[must_use]
    pub fn tls_name(mut self, name: &str) -> Self {
        self.transport.name = given(name);
        self
    }
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl Transport {
    /// Whether there is neither TLS nor a password.
    pub(crate) fn is_plain(&self) -> bool {
        !self.tls && self.username.is_none()
    }

    /// Who we are.
    pub(crate) fn credentials(&self) -> Result<Option<Credentials>, Error> {
        match (&self.username, &self.password) {
            (Some(username), Some(password)) => Ok(Credentials::new(username, password)),
            (None, None) => Ok(None),
            (Some(_), None) => Err(Error::invalid_config("username: allowed only together with a password")),
            (None, Some(_)) => Err(Error::invalid_config("password: allowed only together with a username")),
        }
    }

    /// How connections are secured. It reads the files.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Error> {
        if !self.tls {
            return Ok(None);
        }
        let (ca, certificate) = (self.ca.clone(), self.certificate.clone());
        let files = TlsFiles { ca, certificate, key: self.key.clone(), name: self.name.clone() };
        Tls::new(&files).map(Some)
    }

    /// Refuses what only counts with TLS where that is off: whoever sets it believes that connections are
    /// secured.
    pub(crate) fn check_tls_is_meant(&self) -> Result<(), Error> {
        let set = [
            ("tls_ca", self.ca.is_some()),
            ("tls_certificate", self.certificate.is_some()),
            ("tls_key", self.key.is_some()),
            ("tls_name", self.name.is_some()),
        ];
        match set.iter().find(|(_, is_set)| *is_set && !self.tls) {
            Some((setting, _)) => {
                Err(Error::invalid_config(format!("{setting}: allowed only together with tls = true")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;

    fn complaint(settings: &[(&str, &str)]) -> String {
        let mut config = Config::new().host("localhost").expect("a name");
        for (name, value) in settings {
            match config.with_setting(name, &[(*value).to_owned()]) {
                Ok(set) => config = set,
                Err(error) => return error.to_string(),
            }
        }
        let error = Cache::server_options(&config).expect_err("they don't go together");
        assert!(error.is_invalid_config());
        error.to_string()
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        for (settings, expected) in [
            (&[("username", "u")][..], "username: allowed only together with a password"),
            (&[("password", "hunter2")], "password: allowed only together with a username"),
            (&[("password", "hunter 2")], "password: allowed are up to 250 bytes"),
            (&[("username", "a:b")], "username: allowed are up to 250 bytes"),
            (&[("tls", "perhaps")], "tls: allowed are true, false"),
        ] {
            let complaint = complaint(settings);
            assert!(complaint.contains(expected), "{complaint}");
            assert!(!complaint.contains("hunter"), "{complaint}");
        }
    }

    #[test]
    fn the_password_is_never_printed() {
        let config = Config::new().username("someone").and_then(|config| config.password("hunter2"));
        let config = config.and_then(|config| config.host("localhost")).expect("allowed");
        let options = Cache::server_options(&config).expect("they go together").expect("a server");
        for text in [format!("{config:?}"), format!("{options:?}")] {
            assert!(!text.contains("hunter2") && !text.contains("someone"), "{text}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_without_the_feature_is_an_error_that_names_it() {
        assert!(complaint(&[("tls", "true")]).contains("built without its feature `tls`"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn files_that_do_not_serve_are_named_with_their_setting() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let text = folder.path().join("text");
        std::fs::write(&text, "no certificate").expect("it can be written");
        let text = text.to_str().expect("UTF-8");
        let on = ("tls", "true");
        for (settings, expected) in [
            (&[on, ("tls_ca", "/no/such.pem")][..], "tls_ca: /no/such.pem: "),
            (&[on, ("tls_ca", text)], "there is no certificate in PEM form in it"),
            (&[on, ("tls_certificate", text)], "tls_certificate: allowed only together with a tls_key"),
            (&[on, ("tls_key", text)], "tls_key: allowed only together with a tls_certificate"),
            (
                &[on, ("tls_certificate", "/no/such.pem"), ("tls_key", text)],
                "tls_certificate: /no/such.pem: ",
            ),
            (
                &[on, ("tls_certificate", text), ("tls_key", "-----BEGIN PRIVATE KEY-----\nhunter2")],
                "there is no certificate",
            ),
            (
                &[on, ("tls_ca", "-----BEGIN CERTIFICATE-----hunter2")],
                "tls_ca: allowed is the name of a file, not its content",
            ),
            (&[on, ("tls_name", "two words")], "tls_name: allowed is a host name or an IP address"),
            (&[("tls_ca", text)], "tls_ca: allowed only together with tls = true"),
            (&[("tls_name", "cache.example")], "tls_name: allowed only together with tls = true"),
        ] {
            let complaint = complaint(settings);
            assert!(complaint.contains(expected) && !complaint.contains("hunter"), "{complaint}");
        }
    }
}
