//! Reaching a database by its URL, here or across the internet, and saying in one line why not.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection. The task that drives it ends with the client.
pub async fn connect(url: &str) -> Result<Client> {
    let (config, authority) = parsed(url)?;
    let shown = without_password(url);
    let attempt = tokio::time::timeout(PATIENCE, open(&config, authority.as_deref()));
    match attempt.await {
        Ok(client) => client.with_context(|| format!("no database at {shown}")),
        Err(_) => bail!("no database at {shown}: no answer within {} s", PATIENCE.as_secs()),
    }
}

async fn open(config: &Config, authority: Option<&str>) -> Result<Client> {
    let said = |error: tokio_postgres::Error| anyhow!(causes(&error));
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(said)?;
        tokio::spawn(connection);
        return Ok(client);
    }
    let (client, connection) = config.connect(encrypted(authority)?).await.map_err(said)?;
    tokio::spawn(connection);
    Ok(client)
}

/// The driver's settings, and the file of a private certificate authority. The driver knows fewer words than libpq:
/// whatever is encrypted here is also verified, so that `verify-full` asks for nothing more than `require`.
fn parsed(url: &str) -> Result<(Config, Option<String>)> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut authority = std::env::var("PGSSLROOTCERT").ok();
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslrootcert", file)) => authority = Some(file.to_owned()),
            Some(("sslmode", "verify-full" | "verify-ca")) => kept.push("sslmode=require"),
            _ => kept.push(pair),
        }
    }
    let address = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let parsed: Result<Config, _> = address.parse();
    let mut config =
        parsed.map_err(|error| anyhow!("{} is no database URL: {}", without_password(url), causes(&error)))?;
    ensure!(!config.get_hosts().is_empty(), "{} names no host", without_password(url));
    // Nobody listens in on the way to ourselves.
    if config.get_hosts().iter().all(is_here) && config.get_ssl_mode() == SslMode::Prefer {
        config.ssl_mode(SslMode::Disable);
    }
    Ok((config, authority))
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Verified against the public authorities and the given one. Databases often have a private one, so the error of an
/// unknown authority should be read as: name it with sslrootcert.
fn encrypted(authority: Option<&str>) -> Result<MakeRustlsConnect> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = authority {
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| anyhow!("{error}"));
        for certificate in certificates.with_context(|| format!("cannot read sslrootcert {file}"))? {
            let certificate = certificate.map_err(|error| anyhow!("sslrootcert {file}: {error}"))?;
            roots.add(certificate).with_context(|| format!("sslrootcert {file} holds no authority"))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// An error of the driver says little; its cause does.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    if text.contains("UnknownIssuer") {
        text.push_str("; name the certificate of its authority: ?sslrootcert=FILE");
    }
    text.replace('\n', " ")
}

/// For messages: a database URL may be a secret's hiding place.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "the given database URL".into() };
    let (user, host) = match rest.rsplit_once('@') {
        Some((user_info, host)) => (format!("{}@", user_info.split(':').next().unwrap_or_default()), host),
        None => (String::new(), rest),
    };
    format!("{scheme}://{user}{}", host.split('?').next().unwrap_or(host))
}

/// The same server and database, as another user.
pub fn as_user(url: &str, user: &str, password: &str) -> Result<String> {
    let Some((scheme, rest)) = url.split_once("://") else { bail!("a database URL starts with postgres://") };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    Ok(format!("{scheme}://{user}:{password}@{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, expected) in [
            ("postgres://me:secret@db.example:5432/x?sslmode=require", "postgres://me@db.example:5432/x"),
            ("postgres://me:p@ss@db.example/x", "postgres://me@db.example/x"),
            ("postgres://localhost/x?password=secret", "postgres://localhost/x"),
            ("host=db password=secret", "the given database URL"),
        ] {
            assert_eq!(without_password(url), expected);
        }
    }

    #[test]
    fn the_api_logs_in_to_the_same_database_as_its_own_user() {
        let url = as_user("postgres://me:secret@db.example:5432/x", "authenticator", "pw").expect("a URL");
        assert_eq!(url, "postgres://authenticator:pw@db.example:5432/x");
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_when_the_server_can_and_always_when_asked() {
        for (url, expected) in [
            ("postgres://me@127.0.0.1/x", SslMode::Disable),
            ("postgres://me@localhost/x?sslmode=require", SslMode::Require),
            ("postgres://me@db.example/x", SslMode::Prefer),
            ("postgres://me@db.example/x?sslmode=disable", SslMode::Disable),
            ("postgres://me@db.example/x?sslmode=verify-full&sslrootcert=ca.crt", SslMode::Require),
        ] {
            assert_eq!(parsed(url).expect("a URL").0.get_ssl_mode(), expected, "{url}");
        }
        let (_, authority) = parsed("postgres://me@db.example/x?sslrootcert=ca.crt").expect("a URL");
        assert_eq!(authority.as_deref(), Some("ca.crt"));
    }

    #[tokio::test]
    async fn an_unreachable_database_is_one_line_without_the_password() {
        let error = connect("postgres://me:secret@127.0.0.1:1/x").await.expect_err("nobody listens there");
        let line = format!("{error:#}");
        assert!(line.starts_with("no database at postgres://me@127.0.0.1:1/x: "), "{line}");
        assert!(!line.contains("secret") && !line.contains('\n'), "{line}");
    }
}
