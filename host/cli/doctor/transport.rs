//! What `strongroom doctor` says of the way to the servers: who could listen, and who reads the password.

use std::net::IpAddr;

use strongroom_host::backend::{Address, MemcachedOptions};

use super::Finding;

const SUBJECT: &str = "transport";

/// What is said of the way to the servers.
pub(super) fn of_options(options: &MemcachedOptions) -> Vec<Finding> {
    let tcp = || options.servers.iter().filter_map(|server| host(&server.address));
    let is_unix = tcp().count() < options.servers.len();
    let mut ways = Vec::new();
    if is_unix {
        ways.push("a Unix socket");
    }
    if tcp().next().is_some() {
        ways.push(if options.tls.is_some() { "TLS" } else { "plain TCP" });
    }
    let ways = ways.join(" and ");
    let asks = if options.credentials.is_some() { ", with a username" } else { "" };
    let is_plain = options.tls.is_none() && tcp().next().is_some();
    let leaves = is_plain && !tcp().all(is_this_machine);
    let secure = "set tls = true (CACHE_TLS) and start memcached with `-Z`, or use a Unix socket";
    let mut findings = vec![match leaves {
        true => Finding::warning(
            SUBJECT,
            format!(
                "{ways} to another machine{asks}: whoever is on the network between can read and change it"
            ),
            format!("{secure}; on a network that nobody else is on, plain TCP will do"),
        ),
        false if is_plain => Finding::fine(SUBJECT, format!("{ways}, on this machine{asks}")),
        false => Finding::fine(SUBJECT, format!("{ways}{asks}")),
    }];
    if is_plain && options.credentials.is_some() {
        findings.push(Finding::warning(
            "password",
            "sent in plain: whoever listens on the way, or in the server's place, has it",
            secure,
        ));
    }
    findings
}

fn host(address: &Address) -> Option<&str> {
    match address {
        Address::Tcp { host, .. } => Some(host),
        Address::Unix(_) => None,
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use strongroom_host::backend::{Credentials, Server, Tls, TlsFiles};

    use super::super::{Mark, report};
    use super::*;

    fn of(servers: &[&str], change: impl Fn(&mut MemcachedOptions)) -> (Vec<Mark>, String) {
        let servers =
            servers.iter().map(|server| Server::parse(server).expect("of the right form")).collect();
        let mut options = MemcachedOptions { servers, ..MemcachedOptions::default() };
        change(&mut options);
        let findings = of_options(&options);
        (findings.iter().map(|finding| finding.mark).collect(), report(&findings))
    }

    fn with_credentials(options: &mut MemcachedOptions) {
        options.credentials = Credentials::new("hosts", "cherry");
    }

    #[test]
    fn plain_tcp_is_fine_on_this_machine_only() {
        for server in ["localhost", "127.0.0.1", "127.0.0.2:1", "[::1]:11211", "unix:/run/memcached.sock"] {
            assert_eq!(of(&[server], |_| {}).0, [Mark::Fine], "{server}");
        }
        for servers in
            [&["10.0.0.5"][..], &["cache.example"], &["localhost", "10.0.0.5"], &["[2001:db8::1]:1"]]
        {
            let (marks, text) = of(servers, |_| {});
            assert_eq!(marks, [Mark::Warning]);
            assert!(text.contains("set tls = true"), "{text}");
        }
    }

    #[test]
    fn a_password_in_plain_is_a_warning_and_is_not_shown() {
        let (marks, text) = of(&["127.0.0.1"], with_credentials);
        assert_eq!(marks, [Mark::Fine, Mark::Warning]);
        assert!(!text.contains("cherry"), "{text}");
        assert_eq!(of(&["10.0.0.5"], with_credentials).0, [Mark::Warning, Mark::Warning]);
        assert_eq!(of(&["unix:/run/memcached.sock"], with_credentials).0, [Mark::Fine]);
    }

    #[test]
    fn over_tls_all_is_fine() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, AUTHORITY).expect("it can be written");
        let tls = Tls::new(&TlsFiles { ca: Some(ca), ..TlsFiles::default() }).expect("a certificate");
        let (marks, text) = of(&["cache.example"], |options| {
            with_credentials(options);
            options.tls = Some(tls.clone());
        });
        assert_eq!(marks, [Mark::Fine]);
        assert!(text.contains("TLS, with a username"), "{text}");
    }

    /// Some authority's certificate. That it will be over some day does not matter here.
    const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBfDCCASOgAwIBAgIUP9ZW6fIglOgasHvxX4CZIiv/AscwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJYXV0aG9yaXR5MB4XDTI2MTEyNDAwMjU0NloXDTM2MTEyMTAw
MjU0NlowFDESMBAGA1UEAwwJYXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEhQFhLopTKf1YWXQbWFDqkQyN1/IO+WrWx5tDBUd6jGI6YFuxEZt8Z4Ml
0qooKP0i+4HN5V0/PltKMbh2rUp2waNTMFEwHQYDVR0OBBYEFLXFRIuEhdJWd2vs
jZ+nUwBiyU+lMB8GA1UdIwQYMBaAFLXFRIuEhdJWd2vsjZ+nUwBiyU+lMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgWBVOwv4drax+aiSs9SR+RHNo
TBHf5HrsUDB5LlUFEA8CIE11wvuyGmGAaw5+fF/H3UylqnqRat6kFZObMlRyETxK
-----END CERTIFICATE-----
";
}
