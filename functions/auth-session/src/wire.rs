//! Register, log in, refresh, log out: the contract of `auth-tokens`, under whose name frontends call this. What supabase-js
//! speaks under `/auth/v1` is GoTrue's protocol, and described by its own documents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::contract::{Anyone, Contract};
use shared::error::Refusal;
use shared::wire::{Told, Wire, Yes, told};
use uuid::Uuid;

pub const INVALID_CREDENTIALS: Refusal =
    Refusal::new(401, "INVALID_CREDENTIALS", "e-mail address or password is wrong");
pub const INVALID_TOKEN: Refusal = Refusal::new(401, "INVALID_CREDENTIALS", "this refresh token is not valid");
pub const ACCOUNT_DISABLED: Refusal = Refusal::new(403, "ACCOUNT_DISABLED", "this account is disabled");
pub const UNCONFIRMED: Refusal = Refusal::new(403, "EMAIL_NOT_CONFIRMED", "the e-mail address is not confirmed yet");
pub const EMAIL_EXISTS: Refusal = Refusal::new(409, "EMAIL_EXISTS", "an account with this e-mail address exists");

pub const CONTRACT: Contract<Anyone> = Contract::post("auth-session")
    .refuses(&[INVALID_CREDENTIALS, ACCOUNT_DISABLED, UNCONFIRMED, EMAIL_EXISTS])
    .rpc_refuses(&[
        "USER_EXISTS",
        "EMAIL_EXISTS",
        "PHONE_EXISTS",
        "USER_NOT_FOUND",
        "USER_BANNED",
        "EMAIL_NOT_CONFIRMED",
        "INVALID_CREDENTIALS",
        "SESSION_NOT_FOUND",
        "REFRESH_TOKEN_NOT_FOUND",
        "REFRESH_TOKEN_ALREADY_USED",
        "OTP_EXPIRED",
        "OVER_EMAIL_SEND_RATE_LIMIT",
        "KEY_MISSING",
        "KEY_NOT_FOUND",
    ]);
const ANSWERS: &[Told] = &[
    told::<SignedIn>(201).to(&["register"]),
    told::<SignedIn>(200).to(&["login"]),
    told::<Renewed>(200).to(&["refresh"]),
    told::<SignedOut>(200).to(&["logout"]),
];
pub const WIRE: Wire = Wire::of::<Ask>(&CONTRACT.spec, ANSWERS).form::<Form>().known_as("auth-tokens");

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Register,
    Login,
    Refresh,
    Logout,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    /// Or the last part of the URL: `auth-tokens/login`.
    pub action: Option<Action>,
    pub email: Option<String>,
    pub password: Option<String>,
    pub display_name: Option<String>,
    pub refresh_token: Option<String>,
}

/// What each action needs.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Form {
    Register {
        #[schemars(length(max = 254))]
        email: String,
        /// With a letter and a digit; 72 bytes at most.
        #[schemars(length(min = 8, max = 72))]
        password: String,
        #[schemars(length(min = 1, max = 100))]
        #[serde(skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
    },
    Login {
        email: String,
        password: String,
    },
    Refresh {
        /// Works once; afterwards there is a new one.
        refresh_token: String,
    },
    Logout {
        refresh_token: String,
    },
}

#[derive(Serialize, JsonSchema)]
pub struct Person {
    pub id: Uuid,
    pub email: String,
    pub display_name: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct SignedIn {
    pub user: Person,
    /// Absent until the address is confirmed by the mailed link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct Renewed {
    pub access_token: String,
    pub refresh_token: String,
}

#[derive(Default, Serialize, JsonSchema)]
pub struct SignedOut {
    pub success: Yes,
}
