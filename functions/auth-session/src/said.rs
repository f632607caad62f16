//! What clients send and Postgres answers, each as one type: every endpoint reads its own fields of it. A type for each
//! would be compiled for each, and this is the largest function there is.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::keys::Key;

/// A JSON object whose content is nobody's business here.
pub type Object = Map<String, Value>;

/// The body of a request. `null`, absent and an empty text are the same: nothing was said.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Ask {
    pub email: Text,
    pub phone: Text,
    pub password: Text,
    pub data: Option<Object>,
    pub code_challenge: Text,
    pub code_challenge_method: Text,
    pub refresh_token: Text,
    pub auth_code: Text,
    pub code_verifier: Text,
    /// Of a mail, or of a proof.
    #[serde(rename = "type")]
    pub kind: Text,
    pub token: Text,
    pub token_hash: Text,
    /// Whether `/otp` may sign up; as GoTrue, it may unless it is told not to.
    pub create_user: Option<bool>,
    pub app_metadata: Option<Object>,
    // An operator says these.
    pub id: Text,
    /// An imported one, as bcrypt wrote it.
    pub password_hash: Text,
    pub email_confirm: Option<bool>,
    pub phone_confirm: Option<bool>,
    pub user_metadata: Option<Object>,
    pub role: Text,
    pub ban_duration: Text,
    pub should_soft_delete: Option<bool>,
    pub action: Text,
    pub kid: Text,
}

/// A text that says something.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub struct Text(Option<String>);

impl Text {
    pub fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

/// What an RPC answers.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Told {
    pub user: Object,
    pub session: Option<Session>,
    /// Somebody else has this address already.
    pub exists: bool,
    // What a password is compared with. For an address that nobody has, the same fields without values.
    pub user_id: Option<String>,
    pub password_hash: Option<String>,
    pub confirmed: bool,
    pub users: Vec<Value>,
    pub total: u64,
    pub keys: Vec<Key>,
    pub key: Option<Key>,
}

#[derive(Deserialize)]
pub struct Session {
    pub id: String,
    pub aal: String,
    pub amr: Value,
}
