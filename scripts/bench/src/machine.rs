//! On what the figures were taken: without it they mean nothing.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::Value;
use xtask::house;

pub struct Machine {
    cores: usize,
    cpu: String,
    system: String,
    packages: Value,
    /// Known once a stack has run.
    pub postgres: Option<String>,
    pub pgbench: Option<String>,
    pub rest: Option<String>,
}

impl Machine {
    pub fn look() -> Result<Self> {
        let package = fs::read_to_string(house::root().join("package.json")).context("there is no package.json")?;
        let package: Value = serde_json::from_str(&package)?;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            cpu: cpu_model(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            system: system(),
            packages: package["devDependencies"].clone(),
            postgres: None,
            pgbench: None,
            rest: None,
        })
    }

    /// One line: the machine, then the versions.
    pub fn describe(&self) -> String {
        let mut parts = vec![format!("{} cores ({})", self.cores, self.cpu), self.system.clone()];
        for name in ["workerd", "deno", "bun", "hono", "jose", "@supabase/postgrest-js"] {
            parts.extend(self.packages[name].as_str().map(|version| format!("{name} {version}")));
        }
        parts.extend(self.postgres.as_ref().map(|version| format!("PostgreSQL {version}")));
        parts.extend(self.pgbench.as_ref().map(|version| format!("pgbench {version}")));
        parts.extend(self.rest.clone());
        parts.join(", ")
    }
}

fn system() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = release.split(['-', '+']).next().unwrap_or_default().trim();
    if version.is_empty() { std::env::consts::OS.to_owned() } else { format!("Linux {version}") }
}

fn cpu_model(cpuinfo: &str) -> String {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or(std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_named_by_its_model_or_at_least_its_kind() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: AMD EPYC\nflags\t: a b\n"), "AMD EPYC");
        assert_eq!(cpu_model("CPU implementer : 0x41\n"), std::env::consts::ARCH);
    }

    #[test]
    fn a_description_names_cores_and_versions() {
        let mut machine = Machine::look().expect("a machine");
        machine.postgres = Some("18.4".into());
        let text = machine.describe();
        assert!(text.contains(" cores (") && text.contains("workerd 1.") && text.contains("PostgreSQL 18.4"), "{text}");
    }
}
