//! Five ports: those asked for, or free ones.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

use super::Options;

#[derive(Clone, Debug)]
pub struct Ports {
    pub api: u16,
    pub db: u16,
    pub rest: u16,
    pub sandbox: u16,
    pub mail: u16,
}

impl Ports {
    /// All at once, so that no two free ones are the same.
    pub fn take(options: &Options) -> Result<Self> {
        let api = Taken::port(options.api_port, "the functions", "--api-port")?;
        let sandbox = Taken::port(options.sandbox_port, "the payment sandbox", "--sandbox-port")?;
        let mail = Taken::port(options.mail_port, "the mail page", "--mail-port")?;
        let rest = Taken::port(options.rest_port, "the REST gateway", "--rest-port")?;
        let db = match options.database_url {
            Some(_) => None,
            None => Some(Taken::port(options.db_port, "PostgreSQL", "--db-port")?),
        };
        Ok(Self {
            api: api.number,
            sandbox: sandbox.number,
            mail: mail.number,
            rest: rest.number,
            db: db.map(|taken| taken.number).unwrap_or_default(),
        })
    }
}

/// A port held until all are chosen.
struct Taken {
    number: u16,
    _listener: TcpListener,
}

impl Taken {
    fn port(wanted: u16, whose: &str, option: &str) -> Result<Self> {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
            Ok(listener) => Ok(Self { number: listener.local_addr()?.port(), _listener: listener }),
            Err(error) => bail!("port {wanted}, for {whose}, is taken ({error}): choose another with {option}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_a_taken_one_names_its_option() {
        let ports = Ports::take(&Options::ephemeral("x")).expect("free ports");
        let mut numbers = vec![ports.api, ports.db, ports.rest, ports.sandbox, ports.mail];
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 5);
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let db_port = holder.local_addr().expect("bound").port();
        let error = Ports::take(&Options { db_port, ..Options::ephemeral("x") }).expect_err("taken").to_string();
        assert!(error.contains(&db_port.to_string()) && error.contains("--db-port"), "{error}");
    }
}
