//! Who plays, and how they speak: an access token and JSON, as the client library sends them.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::process::{Launch, output};
use crate::stack::Stack;
use crate::{house, keys, postgres};

pub struct Person {
    pub name: &'static str,
    id: Uuid,
    pub token: String,
}

impl Person {
    /// As an app does it: `supabase.auth.signUp`, with the unmodified client.
    pub async fn sign_up(stack: &Stack, name: &'static str, family: &str) -> Result<Self> {
        let serial = keys::random_uuid().simple().to_string();
        let person = json!({
            "email": format!("{}.{}@example.com", name.to_lowercase(), &serial[..8]),
            "password": format!("cauris-{serial}"),
            "data": { "first_name": name, "last_name": family },
        });
        let launch = Launch::new("sign-up", stack.node())
            .arg(house::root().join("scripts/story/sign_up.mjs"))
            .env("CAURIS_URL", &stack.api_url)
            .env("CAURIS_KEY", keys::PUBLISHABLE_KEY)
            .env("CAURIS_PERSON", person.to_string());
        let said = output(launch).await.with_context(|| format!("{name} cannot sign up"))?;
        let session: Value = serde_json::from_str(said.trim()).with_context(|| format!("no session: {said}"))?;
        let (id, token) = (session["id"].as_str(), session["access_token"].as_str());
        let (Some(id), Some(token)) = (id, token) else { bail!("{name} has no session: {said}") };
        Ok(Self { name, id: id.parse()?, token: token.to_owned() })
    }

    /// What an office does once it has seen licence and motorbike.
    pub async fn become_driver(&self, db: &Client) -> Result<()> {
        let sql = "with role as (insert into people.user_roles (user_id, role) values ($1, 'driver'))
            insert into taxi.drivers (user_id, kyc_verified, can_work, vehicle_type) values ($1, true, true, 'moto')";
        let done = db.execute(sql, &[&self.id]).await;
        done.map_err(|error| anyhow!("{} cannot become a driver: {}", self.name, postgres::causes(&error)))?;
        Ok(())
    }
}

impl Person {
    pub async fn become_admin(&self, db: &Client) -> Result<()> {
        let sql = "insert into people.user_roles (user_id, role) values ($1, 'admin')";
        let done = db.execute(sql, &[&self.id]).await;
        done.map_err(|error| anyhow!("{} cannot become an admin: {}", self.name, postgres::causes(&error)))?;
        Ok(())
    }
}

pub struct Wire {
    client: reqwest::Client,
    api: String,
    anon_key: String,
}

impl Wire {
    pub fn new(api: &str) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { client, api: api.to_owned(), anon_key: keys::anon_key() })
    }

    /// Calls a function; status and body.
    pub async fn send(&self, who: &Person, function: &str, ask: &Value) -> Result<(u16, Value)> {
        let url = format!("{}/functions/v1/{function}", self.api);
        let request = self.client.post(url).header("apikey", &self.anon_key).bearer_auth(&who.token).json(ask);
        let answer = request.send().await.with_context(|| format!("{function} does not answer"))?;
        let status = answer.status().as_u16();
        let body = answer.text().await?;
        let body =
            serde_json::from_str(&body).with_context(|| format!("{function} answered {status}, not JSON: {body}"))?;
        Ok((status, body))
    }

    /// The same, when only one status will do.
    pub async fn call(&self, who: &Person, function: &str, ask: &Value, expected: u16) -> Result<Value> {
        let (status, body) = self.send(who, function, ask).await?;
        ensure!(status == expected, "{} called {function}: expected {expected}, got {status} {body}", who.name);
        Ok(body)
    }

    /// Read as a phone reads it: through the REST gateway, with the owner's token. No wallet is an empty one.
    pub async fn balance(&self, who: &Person, currency: &str) -> Result<i64> {
        let url = format!("{}/rest/v1/wallets?select=user_id,balance&currency=eq.{currency}", self.api);
        let request = self.client.get(url).header("apikey", &self.anon_key).bearer_auth(&who.token);
        let answer = request.send().await.context("/rest/v1/wallets does not answer")?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "/rest/v1/wallets answered {status} {body}");
        let rows: Vec<Value> = serde_json::from_str(&body).with_context(|| format!("/rest/v1/wallets: {body}"))?;
        let own = rows.iter().all(|row| row["user_id"] == who.id.to_string());
        ensure!(own, "{} can read wallets of others: {body}", who.name);
        rows.first().map_or(Ok(0), |row| integer(row, "balance"))
    }

    /// The newest row that the caller may read; null when there is none.
    pub async fn newest(&self, who: &Person, view: &str) -> Result<Value> {
        let url = format!("{}/rest/v1/{view}?order=created_at.desc&limit=1", self.api);
        let request = self.client.get(url).header("apikey", &self.anon_key).bearer_auth(&who.token);
        let answer = request.send().await.with_context(|| format!("/rest/v1/{view} does not answer"))?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "/rest/v1/{view} answered {status} {body}");
        let mut rows: Vec<Value> = serde_json::from_str(&body).with_context(|| format!("/rest/v1/{view}: {body}"))?;
        Ok(rows.pop().unwrap_or_default())
    }

    /// The platform's clock strikes.
    pub async fn tick(&self, function: &str) -> Result<()> {
        let url = format!("{}/functions/v1/{function}", self.api);
        let request = self.client.post(url).header("x-internal-api-key", keys::INTERNAL_API_KEY).json(&json!({}));
        let answer = request.send().await.with_context(|| format!("{function} does not answer"))?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{function} answered {status} {body}");
        Ok(())
    }

    pub async fn text(&self, method: Method, url: &str) -> Result<String> {
        let answer = self.client.request(method, url).send().await.with_context(|| format!("{url} does not answer"))?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{url} answered {status}: {text}");
        Ok(text)
    }
}

/// Where the form leads that has the button called `button`.
pub fn form_action(page: &str, button: &str) -> Option<String> {
    let marker = format!("id=\"{button}\"");
    let form = page.split("<form").skip(1).find(|form| form.contains(&marker))?;
    let action = form.split_once("action=\"")?.1;
    Some(action.split_once('"')?.0.to_owned())
}

pub fn integer(body: &Value, field: &str) -> Result<i64> {
    body[field].as_i64().with_context(|| format!("{field} is no whole number in {body}"))
}

/// `100 000`.
pub fn amount(units: i64) -> String {
    let digits = units.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    if units < 0 { format!("-{text}") } else { text }
}

pub fn money(units: i64, currency: &str) -> String {
    format!("{} {currency}", amount(units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_groups_of_three() {
        for (units, expected) in
            [(0, "0"), (999, "999"), (1_000, "1 000"), (100_500, "100 500"), (-1_234_567, "-1 234 567")]
        {
            assert_eq!(amount(units), expected);
        }
    }

    #[test]
    fn the_form_of_a_button_is_found_among_others() {
        let page = r#"<form action="/c/1/fail"><button id="fail"></form><form method="post" action="/c/1/pay"><button id="pay">"#;
        assert_eq!(form_action(page, "pay").as_deref(), Some("/c/1/pay"));
        assert_eq!(form_action(page, "refund"), None);
    }
}
